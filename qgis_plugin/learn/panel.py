"""The dock's panel of learning: what the model learns from the marks, how far that goes, and what came of it."""

from __future__ import annotations

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QFormLayout,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from terrafine.qgis_plugin.language import percent
from terrafine.qgis_plugin.state import WAITED_FOR, Link, View
from terrafine.qgis_plugin.widgets import icon, note, row, tool_button
from terrafine.qgis_plugin.words import sentence

LEARN = "learn"  # Advice.action
FEWEST = 5  # marks that shares of them say something with


class LearnPanel(QWidget):
    learn_asked = pyqtSignal()
    scope_chosen = pyqtSignal(str)
    compare_asked = pyqtSignal(bool)
    reset_asked = pyqtSignal()
    save_asked = pyqtSignal()

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.invitation, self.result, self.advice = note(), note(), note()
        self.invitation.setText(
            self.tr(
                "Marks correct the map around them. Let the model learn from them, and it gets the rest right, too."
            )
        )
        self.follow = QPushButton(self.tr("Learn now"))
        self.follow.setToolTip(self.tr("Follow the advice: learn from your marks now"))
        self.scope = self._scopes(scope)
        self.learn = QPushButton(icon("learn"), self.tr("Learn from my marks"))
        self.learn.setToolTip(
            self.tr("Retrain the model on all your marks, for this image only; the whole map follows (L)")
        )
        tip = self.tr("Compare with the map before the last learning (C): move the mouse; Esc ends it")
        self.compare = tool_button("compare", tip, checkable=True)
        self.more = self._more_button()
        self._lay_out()
        self._connect()

    def show_view(self, view: View) -> None:
        work = view.work
        is_free = view.link is Link.ONLINE and (work is None or work.kind not in WAITED_FOR)
        self.learn.setEnabled(is_free and view.marks > 0)
        self.reset.setEnabled(view.has_learnt)
        self.save.setEnabled(is_free and view.has_learnt)
        self._show_advice(view, is_free)
        self._show_lesson(view)

    def show_comparison(self, is_possible: bool, is_on: bool) -> None:
        self.compare.setEnabled(is_possible)
        self.compare.setChecked(is_on)

    def _show_advice(self, view: View, is_free: bool) -> None:
        has_advice = is_free and view.advice is not None and view.advice.action == LEARN
        self.advice_row.setVisible(has_advice)
        if has_advice:
            self.advice.setText(self.tr("Advice: {reason}").format(reason=sentence(view.advice.reason)))

    def _show_lesson(self, view: View) -> None:
        """Shares of marked pixels that the model has right without being told, before and after."""
        self.invitation.setVisible(not view.has_learnt)
        self.result.setVisible(view.has_learnt)
        if view.lesson is None:
            self.result.setText(self.tr("The map is that of the model and what it has learnt from your marks."))
            return
        if view.taught < FEWEST:
            self.result.setText(
                self.tr("So few marks do not tell how well the model learns: look at the map, and mark more places.")
            )
            return
        words = self.tr("Of the pixels you marked, the model by itself had {before} right; now it has {after}.")
        shares = {"before": percent(view.lesson.right_before), "after": percent(view.lesson.right_after)}
        self.result.setText(words.format(**shares))

    def _scopes(self, chosen: str) -> QComboBox:
        combo = QComboBox()
        combo.setToolTip(self.tr("How much of the model may change. More takes longer, and needs more marks"))
        combo.addItem(self.tr("Quick: the colours of the scene"), "head")
        combo.addItem(self.tr("Thorough: all but the image features"), "decoder")
        combo.addItem(self.tr("Everything, also the image features"), "all")
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(12)
        combo.setCurrentIndex(max(0, combo.findData(chosen)))
        return combo

    def _more_button(self) -> QToolButton:
        button, menu = tool_button("more", self.tr("Save or forget what was learnt")), QMenu(self)
        menu.setToolTipsVisible(True)
        self.save = menu.addAction(self.tr("Save as a model…"))
        self.save.setToolTip(self.tr("Keep what was learnt on the server, to use it on other images"))
        self.reset = menu.addAction(self.tr("Reset what was learnt"))
        self.reset.setToolTip(self.tr("Go back to the model as it came; your marks stay. Undo takes it back"))
        button.setMenu(menu)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(self.tr("How far"), self.scope)
        self.advice_row = QWidget()
        line = row(self.advice, self.follow)
        line.setStretch(0, 3)
        line.setContentsMargins(0, 0, 0, 0)
        self.advice_row.setLayout(line)
        column = QVBoxLayout(self)
        column.addWidget(self.invitation)
        column.addLayout(form)
        column.addLayout(row(self.learn, self.compare, self.more))
        column.addWidget(self.result)
        column.addStretch()

    def _connect(self) -> None:
        self.learn.clicked.connect(lambda: self.learn_asked.emit())
        self.follow.clicked.connect(lambda: self.learn_asked.emit())
        self.scope.activated.connect(lambda index: self.scope_chosen.emit(self.scope.itemData(index)))
        self.compare.clicked.connect(self.compare_asked)
        self.reset.triggered.connect(lambda: self.reset_asked.emit())
        self.save.triggered.connect(lambda: self.save_asked.emit())
