"""The dock's panel for looking where it matters: how unsure the map is, and the squares to review, worst first."""

from __future__ import annotations

import math
from typing import Optional

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QKeyEvent, QPalette
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QFormLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from terrafine.qgis_plugin.language import Number, named, percent
from terrafine.qgis_plugin.look.measures import measures
from terrafine.qgis_plugin.look.review import Fate, Query, Review
from terrafine.qgis_plugin.state import WAITED_FOR, Link, View
from terrafine.qgis_plugin.widgets import note, row, tool_button
from terrafine.shared.learning import RankOptions

SIZES_PX = (64, 128, 256, 512, 1024)
USUAL_SIZE_PX = 256
MOST_PATCHES = 1000  # in the list: more than anybody looks at
LEAST_HEIGHT_PX = 110


class LookPanel(QWidget):
    measure_asked = pyqtSignal(str)  # a method
    review_asked = pyqtSignal(object)  # RankOptions
    next_asked = pyqtSignal()
    patch_ended = pyqtSignal(object)  # its Fate
    patch_chosen = pyqtSignal(object)  # its Window
    end_asked = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self._make_choices()
        self._make_review()
        self._lay_out()
        self._connect()

    def show_view(self, view: View) -> None:
        """Show what can be asked for, and the review."""
        self._offer(view.model.uncertainty if view.model else ())
        is_waited_for = view.work is not None and view.work.kind in WAITED_FOR
        is_possible = view.link is Link.ONLINE and not is_waited_for and self.method.count() > 0
        self.measure.setEnabled(is_possible)
        self.begin.setEnabled(is_possible)
        review = view.review if view.review and view.review.patches else None  # none yet, while they are ranked
        self.begin.setVisible(review is None)
        for part in self.choices:
            part.setVisible(review is None)
        self.reviewing.setVisible(review is not None)
        if review is not None:
            self._show_review(review)

    def _offer(self, methods: tuple[str, ...]) -> None:
        if methods != tuple(self.method.itemData(i) for i in range(self.method.count())):
            self.method.clear()
            for name in methods:
                words, term, meaning = measures().get(name, (name, name, ""))
                self.method.addItem(words, name)
                self.method.setItemData(self.method.count() - 1, named(term, meaning), Qt.ItemDataRole.ToolTipRole)

    def _show_review(self, review: Review) -> None:
        count = len(review.open)
        left = self.tr("1 square left") if count == 1 else self.tr("{count} squares left").format(count=count)
        words = self.tr("{share} of the area reviewed · {left}")
        self.progress.setText(words.format(share=percent(math.floor(100 * review.reviewed) / 100), left=left))
        for button in (self.done, self.skip):
            button.setEnabled(review.current is not None)
        self.next.setEnabled(bool(review.open))
        self.patches.show_review(review)

    # ---- widgets ---------------------------------------------------------------------------------------------------

    def _make_choices(self) -> None:
        self.method = QComboBox()
        self.method.setToolTip(self.tr("How it is measured how unsure the map is; the model offers these"))
        self.size = QComboBox()
        self.size.setToolTip(self.tr("Side of the squares to look at, in pixels of the image"))
        for size_px in SIZES_PX:
            self.size.addItem(self.tr("{size} pixels").format(size=size_px), size_px)
        self.size.setCurrentIndex(SIZES_PX.index(USUAL_SIZE_PX))
        self.order = QComboBox()
        self.order.setToolTip(self.tr("Which squares come first; at random shows how good the map is as a whole"))
        for name, text in self._orders().items():
            self.order.addItem(text, name)
        self.measure = QPushButton(self.tr("Map the uncertainty"))
        self.measure.setToolTip(self.tr("Show how unsure the map is, from dark (sure) to bright (unsure)"))
        self.begin = QPushButton(self.tr("Show me where to look"))
        self.begin.setToolTip(self.tr("Go through the map square by square"))

    def _make_review(self) -> None:
        self.progress = note()
        self.patches = PatchList()
        self.next = _button(self.tr("Next (N)"), self.tr("Leave this square open and go to the next"))
        self.done = _button(
            self.tr("Done (D)"),
            self.tr("This square is right now: tick it off and go to the next; again takes it back"),
        )
        self.skip = _button(
            self.tr("Skip (S)"), self.tr("Do not come back to this square; go to the next; again takes it back")
        )
        self.end = tool_button("end", self.tr("End the review and forget what has been looked at"))

    def _orders(self) -> dict[str, str]:
        return {
            "uncertainty": self.tr("The most doubtful first"),
            "reading": self.tr("Row by row"),
            "random": self.tr("At random"),
        }

    def _options(self) -> RankOptions:
        order, method = self.order.currentData(), self.method.currentData()
        return RankOptions(order, method, self.size.currentData(), limit=MOST_PATCHES)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setSpacing(6)
        column.addLayout(self._form())
        column.addWidget(self.begin)
        column.addWidget(self.measure)
        self.reviewing = QWidget()
        review = QVBoxLayout(self.reviewing)
        review.setContentsMargins(0, 0, 0, 0)
        review.addLayout(row(self.progress, self.end))
        review.addLayout(row(self.next, self.done, self.skip))  # above the list: in sight on a small screen
        review.addWidget(self.patches)
        column.addWidget(self.reviewing, 1)
        column.addStretch()

    def _form(self) -> QFormLayout:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setVerticalSpacing(6)
        form.addRow(self.tr("Uncertainty"), self.method)
        form.addRow(self.tr("Squares"), self.size)
        form.addRow(self.tr("Order"), self.order)
        for combo in (self.method, self.size, self.order):  # long names must not widen the dock
            combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.choices = [
            part for combo in (self.method, self.size, self.order) for part in (combo, form.labelForField(combo))
        ]
        return form

    def _connect(self) -> None:
        self.measure.clicked.connect(lambda: self.measure_asked.emit(self.method.currentData()))
        self.begin.clicked.connect(lambda: self.review_asked.emit(self._options()))
        self.next.clicked.connect(lambda: self.next_asked.emit())
        self.done.clicked.connect(lambda: self.patch_ended.emit(Fate.DONE))
        self.skip.clicked.connect(lambda: self.patch_ended.emit(Fate.SKIPPED))
        self.end.clicked.connect(lambda: self.end_asked.emit())
        self.patches.patch_chosen.connect(self.patch_chosen)


class PatchList(QListWidget):
    """One row a patch: its rank, how unsure the map is there, and what became of it."""

    patch_chosen = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self._review: Optional[Review] = None
        self.setMinimumHeight(LEAST_HEIGHT_PX)
        self.setAlternatingRowColors(True)
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setToolTip(self.tr("Click a square to go there"))
        self.itemClicked.connect(self._choose)
        self.itemActivated.connect(self._choose)

    def show_review(self, review: Review) -> None:
        if review == self._review:
            return
        self._review = review
        self.clear()
        for rank, patch in enumerate(review.patches, 1):
            self._add(rank, patch, patch.window == review.current, review.options.order == "uncertainty")

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Letters are the dock's, not a search in the list."""
        if event.text().strip():
            event.ignore()
        else:
            super().keyPressEvent(event)

    def _add(self, rank: int, patch: Query, is_current: bool, is_scored: bool) -> None:
        states = {Fate.OPEN: "", Fate.DONE: self.tr("done"), Fate.SKIPPED: self.tr("skipped")}
        score = self.tr("uncertainty {score:.2f}").format(score=Number(patch.score)) if is_scored else ""
        parts = (f"{rank}", score, states[patch.fate])
        item = QListWidgetItem(" · ".join(part for part in parts if part))
        if patch.fate is not Fate.OPEN:
            item.setForeground(self.palette().color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text))
        font = item.font()
        font.setBold(is_current)
        item.setFont(font)
        self.addItem(item)
        if is_current:
            self.setCurrentItem(item)

    def _choose(self, item: QListWidgetItem) -> None:
        self.patch_chosen.emit(self._review.patches[self.row(item)].window)


def _button(text: str, tip: str) -> QPushButton:
    """A button that leaves the keys to the map."""
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
