"""The dock: server, map and marks, pages for what is less at hand, and a line that says what goes on. No logic."""

from __future__ import annotations

from typing import Optional

from qgis.gui import QgsDockWidget
from qgis.PyQt.QtCore import Qt, QTimer, pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QTabWidget, QVBoxLayout, QWidget

from terrafine.qgis_plugin.history_panel import HistoryPanel
from terrafine.qgis_plugin.language import Number
from terrafine.qgis_plugin.learn.panel import LearnPanel
from terrafine.qgis_plugin.link.panel import ServerPanel
from terrafine.qgis_plugin.look.panel import LookPanel
from terrafine.qgis_plugin.maps.panel import MapPanel
from terrafine.qgis_plugin.marks.panel import MarksPanel
from terrafine.qgis_plugin.settings import Settings
from terrafine.qgis_plugin.state import Kind, View
from terrafine.qgis_plugin.welcome.panel import WelcomePanel
from terrafine.qgis_plugin.widgets import Scroll, line, tool_button

OBJECT_NAME = "TerrafineDock"


class Dock(QgsDockWidget):
    help_asked = pyqtSignal()

    def __init__(self, settings: Settings, parent: Optional[QWidget] = None) -> None:
        super().__init__("Terrafine", parent)
        self.setObjectName(OBJECT_NAME)
        self._was_learning = self._was_reviewing = False
        self.setAllowedAreas(Qt.DockWidgetArea.LeftDockWidgetArea | Qt.DockWidgetArea.RightDockWidgetArea)
        self.welcome = WelcomePanel()
        self.welcome.setVisible(not settings.welcomed)
        self.server = ServerPanel(settings.address)
        self.map = MapPanel(settings)
        self.marks = MarksPanel(settings)
        self.learn = LearnPanel(settings.learn_scope)
        self.look = LookPanel()
        self.history = HistoryPanel()
        self.pages = self._pages()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(lambda: self._turn_to(self.look))
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.help = tool_button("help", self.tr("User guide (F1)"))
        self.help.clicked.connect(self.help_asked)
        self.setWidget(self._content())

    def show_view(self, view: View) -> None:
        """Show the state of things, and say nothing about it in signals."""
        for panel in (self.welcome, self.server, self.map, self.marks, self.learn, self.look):
            panel.show_view(view)
        self.pages.setVisible(view.has_session)
        self._show_learning(view.work is not None and view.work.kind is Kind.LEARNING)
        self._show_reviewing(view.review is not None and bool(view.review.patches))
        self.status.setText(self.work_words(view) or self._result_words(view))

    def _show_learning(self, is_learning: bool) -> None:
        """Turn to the page that will say what came of it, when it begins."""
        if is_learning and not self._was_learning:
            self._turn_to(self.learn)
        self._was_learning = is_learning

    def _show_reviewing(self, is_reviewing: bool) -> None:
        """Bring the list of patches in sight when a review begins: a small screen may hide it."""
        if is_reviewing and not self._was_reviewing and self.pages.currentWidget() is self.look:
            self._soon.start()  # as soon as it has its room
        self._was_reviewing = is_reviewing

    def _turn_to(self, page: QWidget) -> None:
        self.pages.setCurrentWidget(page)
        self.scroll.ensureWidgetVisible(self.pages)

    def work_words(self, view: View) -> str:
        """What goes on, in a word or two; "" if nothing does."""
        if view.work is None:
            return ""
        if view.work.cancelling:
            return self.tr("Stopping…")
        if view.work.progress and view.work.progress.stage == "upload":
            return self.tr("Sending pixels to the server…")
        return self._kind_words()[view.work.kind]

    def _kind_words(self) -> dict[Kind, str]:
        return {
            Kind.CLASSIFYING: self.tr("Classifying…"),
            Kind.REFINING: self.tr("Refining…"),
            Kind.RENEWING: self.tr("Refining…"),
            Kind.LEARNING: self.tr("Learning from your marks…"),
            Kind.MEASURING: self.tr("Measuring how unsure the map is…"),
            Kind.RANKING: self.tr("Finding where to look next…"),
            Kind.ADVISING: self.tr("Thinking about your marks…"),
            Kind.FINDING: self.tr("Finding the object…"),
            Kind.SAVING: self.tr("Saving the model…"),
        }

    def _result_words(self, view: View) -> str:
        """How many marks there are, and how fast the map followed the last one."""
        if not view.has_session:
            return ""
        few = {0: self.tr("No marks yet"), 1: self.tr("1 mark")}
        marks = few.get(view.marks) or self.tr("{count} marks").format(count=view.marks)
        if view.is_behind:
            return self.tr("{marks}; the map does not follow all of them yet").format(marks=marks)
        if view.seconds is None:
            return marks
        return self.tr("{marks} · map updated in {seconds:.2f} s").format(marks=marks, seconds=Number(view.seconds))

    def _content(self) -> QWidget:
        """Panels that scroll where the screen is small, the status line below them."""
        panels = QWidget()
        column = QVBoxLayout(panels)
        column.setSpacing(6)
        for part in (self.welcome, self.server, line(), self.map, line(), self.marks, self.learn.advice_row):
            column.addWidget(part)
        column.addWidget(self.pages, 1)
        column.addStretch()
        self.scroll = Scroll(panels)
        content = QWidget()
        whole = QVBoxLayout(content)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.scroll, 1)
        whole.addWidget(self._stays(self.map.progress))
        whole.addLayout(self._foot())
        return content

    def _pages(self) -> QTabWidget:
        """What is not needed at each mark, one page at a time, so that a small screen holds the dock."""
        pages = QTabWidget()
        pages.addTab(self.look, self.tr("Where to look"))
        pages.addTab(self.learn, self.tr("Learn"))
        pages.addTab(self.history, self.tr("History"))
        return pages

    @staticmethod
    def _stays(widget: QWidget) -> QWidget:
        """Keep a widget's place free while it is hidden, so that what is above it does not jump."""
        policy = widget.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        widget.setSizePolicy(policy)
        return widget

    def _foot(self) -> QHBoxLayout:
        foot = QHBoxLayout()
        foot.setContentsMargins(9, 0, 9, 4)
        foot.addWidget(self.status, 1)
        foot.addWidget(self.map.cancel)
        foot.addWidget(self.help)
        return foot
