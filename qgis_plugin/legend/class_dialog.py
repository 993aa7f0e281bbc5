"""Asks for a class: its name, and a colour that can be told from the others'."""

from __future__ import annotations

from typing import Optional, Sequence

from qgis.gui import QgsColorButton
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor, QIcon, QPixmap
from qgis.PyQt.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QGridLayout,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from terrafine.qgis_plugin.legend.palette import COLORS, fresh
from terrafine.qgis_plugin.names import shown, stored
from terrafine.qgis_plugin.widgets import note
from terrafine.shared.spec import LandCover

SWATCH_PX, COLUMNS = 18, 7


class ClassDialog(QDialog):
    """`edited` is the class to change; None makes a new one, beside `others`."""

    def __init__(
        self, others: Sequence[LandCover], edited: Optional[LandCover] = None, parent: Optional[QWidget] = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Edit the class") if edited else self.tr("Add a class"))
        self._taken = {word.casefold() for item in others for word in (item.name, shown(item.name))}
        self.name = QLineEdit(shown(edited.name) if edited else "")
        self.name.setToolTip(self.tr("What the legend, the map's file and the reports call the class"))
        self.color_button = QgsColorButton()
        self.color_button.setToolTip(self.tr("Any other colour"))
        self.color_button.setColor(QColor(edited.color if edited else fresh([item.color for item in others])))
        self.problem = note()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.name.textChanged.connect(self._check)
        self._lay_out()
        self._check()

    def class_name(self) -> str:
        return stored(self.name.text().strip())

    def color(self) -> str:
        return self.color_button.color().name()

    def _check(self) -> None:
        is_taken = self.class_name().casefold() in self._taken
        self.problem.setText(self.tr("There is a class of that name.") if is_taken else "")
        is_fine = bool(self.class_name()) and not is_taken
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(is_fine)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow(self.tr("Name"), self.name)
        form.addRow(self.tr("Colour"), self._swatches())
        form.addRow("", self.color_button)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.problem)
        column.addWidget(self.buttons)

    def _swatches(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(2)
        for number, color in enumerate(COLORS):
            grid.addWidget(self._swatch(color), number // COLUMNS, number % COLUMNS)
        return grid

    def _swatch(self, color: str) -> QToolButton:
        button, square = QToolButton(), QPixmap(SWATCH_PX, SWATCH_PX)
        square.fill(QColor(color))
        button.setIcon(QIcon(square))
        button.setIconSize(QSize(SWATCH_PX, SWATCH_PX))
        button.setAutoRaise(True)
        button.setToolTip(self.tr("{color}: told apart with any colour vision").format(color=color))
        button.setAccessibleName(color)
        button.clicked.connect(lambda: self.color_button.setColor(QColor(color)))
        return button
