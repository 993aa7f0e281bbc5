"""Asks for a legend of the user's own: one row a class, its colour and its name."""

from __future__ import annotations

from typing import Optional, Sequence

from qgis.gui import QgsColorButton
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from terrafine.qgis_plugin.learn.events import MOST_CLASSES
from terrafine.qgis_plugin.legend.palette import fresh
from terrafine.qgis_plugin.names import shown, stored
from terrafine.qgis_plugin.widgets import icon, note, tool_button
from terrafine.shared.spec import LandCover

HEIGHT_PX = 240


class OwnClassesDialog(QDialog):
    """Begins with `classes`, the model's."""

    def __init__(self, classes: Sequence[LandCover], parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Start with my own classes"))
        self.rows: list[_ClassRow] = []
        self.add = QPushButton(icon("add"), self.tr("Add a class"))
        self.add.setToolTip(self.tr("One more row"))
        self.problem = note()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.add.clicked.connect(lambda: self._add("", fresh([row.color() for row in self.rows])).name.setFocus())
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self._lay_out()
        for item in classes:
            self._add(item.name, item.color)

    def classes(self) -> tuple[LandCover, ...]:
        return tuple(LandCover(i, row.class_name(), row.color()) for i, row in enumerate(self.rows))

    def _add(self, name: str, color: str) -> _ClassRow:
        row = _ClassRow(name, color)
        row.name.textChanged.connect(self._check)
        row.remove.clicked.connect(lambda: self._remove(row))
        self.rows.append(row)
        self._list.addWidget(row)
        self._check()
        return row

    def _remove(self, row: _ClassRow) -> None:
        self.rows.remove(row)
        row.hide()
        row.deleteLater()
        self._check()

    def _check(self) -> None:
        problem = self._problem()
        self.problem.setText(problem)
        self.add.setEnabled(len(self.rows) < MOST_CLASSES)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not problem)

    def _problem(self) -> str:
        names = [row.class_name().casefold() for row in self.rows]
        if len(names) < 2:
            return self.tr("A legend needs two classes.")
        if not all(names):
            return self.tr("Every class needs a name.")
        return self.tr("Two classes have the same name.") if len(set(names)) < len(names) else ""

    def _lay_out(self) -> None:
        words = note()
        words.setText(
            self.tr(
                "The next area that you classify has exactly these classes. What the model knows by the same name "
                "goes on; everything else it learns from your marks. Maps and marks of before stay."
            )
        )
        held = QWidget()
        outer = QVBoxLayout(held)
        self._list = QVBoxLayout()
        outer.addLayout(self._list)
        outer.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setMinimumHeight(HEIGHT_PX)
        scroll.setWidget(held)
        column = QVBoxLayout(self)
        for part in (words, scroll, self.add, self.problem, self.buttons):
            column.addWidget(part)


class _ClassRow(QWidget):
    def __init__(self, name: str, color: str) -> None:
        super().__init__()
        self.name, self.color_button = QLineEdit(shown(name)), QgsColorButton()
        self.name.setToolTip(self.tr("Name of the class"))
        self.color_button.setToolTip(self.tr("Colour of the class"))
        self.color_button.setColor(QColor(color))
        self.remove: QToolButton = tool_button("remove", self.tr("Leave this class out"))
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.color_button)
        line.addWidget(self.name, 1)
        line.addWidget(self.remove)

    def class_name(self) -> str:
        return stored(self.name.text().strip())

    def color(self) -> str:
        return self.color_button.color().name()
