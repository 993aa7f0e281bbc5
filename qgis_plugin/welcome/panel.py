"""The first run: what to do with Terrafine, and something to try it on."""

from __future__ import annotations

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QPushButton, QVBoxLayout, QWidget

from terrafine.qgis_plugin.widgets import heading, line, note, row


class WelcomePanel(QWidget):
    """At the dock's top until it is closed."""

    sample_asked = pyqtSignal()
    guide_asked = pyqtSignal()
    closed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.sample = QPushButton(self.tr("Open the sample"))
        self.sample.setToolTip(self.tr("A made-up coast of 512 m, to try everything on"))
        self.guide = QPushButton(self.tr("User guide"))
        self.guide.setToolTip(self.tr("Opens beside QGIS; F1 in this panel does so, too"))
        self.done = QPushButton(self.tr("Close"))
        self.done.setToolTip(self.tr("The server options, to the right below, bring it back"))
        self.sample.clicked.connect(self.sample_asked)
        self.guide.clicked.connect(self.guide_asked)
        self.done.clicked.connect(self.closed)
        self._lay_out()

    def _lay_out(self) -> None:
        text = note()
        text.setText(
            self.tr(
                "1. Start a server below: it runs the network that classifies.\n"
                "2. Open an image of your own, or the sample, and press Classify.\n"
                "3. Pick the right class and click where the map is wrong."
            )
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(heading(self.tr("Welcome to Terrafine")))
        column.addWidget(text)
        column.addLayout(row(self.sample, self.guide, self.done))
        column.addWidget(line())
