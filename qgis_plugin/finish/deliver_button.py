"""The button of what is done with a finished map: export, clean, polygons, areas, accuracy."""

from __future__ import annotations

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QMenu, QPushButton

from terrafine.qgis_plugin.widgets import icon


class DeliverButton(QPushButton):
    """
    algorithm_asked  id of an algorithm of Terrafine's, to be run on the map
    """

    export_asked = pyqtSignal()
    algorithm_asked = pyqtSignal(str)
    labelling_asked = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.setText(self.tr("Deliver"))
        self.setIcon(icon("export"))
        self.setToolTip(self.tr("Export the map, clean it, make polygons of it, measure areas and accuracy"))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # not by a click: keys go on working on the map
        menu = QMenu(self)
        menu.addAction(self.tr("Export the map…")).triggered.connect(lambda: self.export_asked.emit())
        menu.addSeparator()
        self._offer(menu, "sieve", self.tr("Remove specks…"))
        self._offer(menu, "vectorise", self.tr("Make polygons…"))
        self._offer(menu, "statistics", self.tr("Areas by class…"))
        menu.addSeparator()
        self._offer(menu, "samples", self.tr("1. Draw samples…"))
        menu.addAction(self.tr("2. Label samples…")).triggered.connect(lambda: self.labelling_asked.emit())
        self._offer(menu, "accuracy", self.tr("3. Assess accuracy…"))
        self.setMenu(menu)

    def _offer(self, menu: QMenu, algorithm: str, words: str) -> None:
        menu.addAction(words).triggered.connect(lambda: self.algorithm_asked.emit(algorithm))
