"""The first run: three steps that are ticked off as they are done, and something to try them on."""

from __future__ import annotations

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QPushButton, QVBoxLayout, QWidget

from terrafine.qgis_plugin.state import Link, View
from terrafine.qgis_plugin.widgets import heading, line, note, row

DONE = "✓"


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
        self.steps = [note() for _ in self._words()]
        self._lay_out()
        self._tick([False] * len(self.steps))

    def show_view(self, view: View) -> None:
        self._tick([view.link is Link.ONLINE, view.has_session, view.marks > 0])

    def _tick(self, are_done: list[bool]) -> None:
        for number, (step, words, is_done) in enumerate(zip(self.steps, self._words(), are_done), 1):
            step.setText(f"{DONE if is_done else number}  {words}")

    def _words(self) -> tuple[str, str, str]:
        return (
            self.tr("Start a server below, or set one up: it runs the network that classifies."),
            self.tr("Open an image of your own, or the sample, and press Classify."),
            self.tr("Pick the right class and click where the map is wrong."),
        )

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(heading(self.tr("Welcome to Terrafine")))
        for step in self.steps:
            column.addWidget(step)
        column.addLayout(row(self.sample, self.guide, self.done))
        column.addWidget(line())
