"""The panel in which samples are labelled. Widgets, no logic."""

from __future__ import annotations

from typing import Optional, Sequence

from qgis.core import QgsMapLayerProxyModel
from qgis.gui import QgsDockWidget, QgsMapLayerComboBox
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QIcon, QPixmap
from qgis.PyQt.QtWidgets import QProgressBar, QPushButton, QVBoxLayout, QWidget

from terrafine.qgis_plugin.names import shown
from terrafine.qgis_plugin.widgets import Scroll, heading, note, row
from terrafine.shared.spec import LandCover

KEYS = 9  # classes that have a number key
SWATCH_PX = 14


class LabellingDock(QgsDockWidget):
    """
    labelled  class id
    """

    labelled = pyqtSignal(int)
    next_asked = pyqtSignal()
    back_asked = pyqtSignal()

    def __init__(self, parent: Optional[QWidget]) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Label samples"))
        self.setObjectName("TerrafineLabelling")
        self.layer = QgsMapLayerComboBox()
        self.layer.setFilters(QgsMapLayerProxyModel.Filter.PointLayer)
        self.layer.setToolTip(
            self.tr("The samples to label: a layer of points that 'Stratified random samples' has made")
        )
        self.words = note()
        self.progress = QProgressBar()
        self.question = heading(self.tr("What is really there?"))
        self.classes = QVBoxLayout()
        self.back = QPushButton(self.tr("Back"))
        self.back.setToolTip(self.tr("To the sample before (Backspace)"))
        self.back.clicked.connect(self.back_asked)
        self.next = QPushButton(self.tr("Next sample"))
        self.next.setToolTip(self.tr("Leave this one for later (N)"))
        self.next.clicked.connect(self.next_asked)
        self.setWidget(Scroll(self._content()))

    def show_classes(self, classes: Sequence[LandCover]) -> None:
        """A button for each class, with its key."""
        self.question.setVisible(bool(classes))
        while self.classes.count():
            self.classes.takeAt(0).widget().deleteLater()
        for number, item in enumerate(classes, 1):
            key = f"{number}   " if number <= KEYS else ""
            button = QPushButton(_swatch(item.color), f"{key}{shown(item.name)}")
            button.setStyleSheet("text-align: left; padding: 4px 8px")
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys go on working on the map
            button.clicked.connect(lambda _, class_id=item.id: self.labelled.emit(class_id))
            self.classes.addWidget(button)

    def show_progress(self, words: str, labelled: int, total: int, at_work: bool) -> None:
        self.words.setText(words)
        self.progress.setVisible(total > 0)
        self.progress.setMaximum(max(1, total))
        self.progress.setValue(labelled)
        self.progress.setFormat(self.tr("{done} of {all}").format(done=labelled, all=total))
        for place in range(self.classes.count()):
            self.classes.itemAt(place).widget().setEnabled(at_work)
        self.next.setEnabled(at_work)

    def _content(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.addWidget(heading(self.tr("Samples")))
        column.addWidget(self.layer)
        column.addWidget(self.progress)
        column.addWidget(self.question)
        column.addLayout(self.classes)
        column.addLayout(row(self.back, self.next))
        column.addWidget(self.words)
        column.addStretch(1)
        return content


def _swatch(color: str) -> QIcon:
    image = QPixmap(SWATCH_PX, SWATCH_PX)
    image.fill(QColor(color))
    return QIcon(image)
