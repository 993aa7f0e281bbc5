"""The list of steps in the dock: what was done, what it changed in the map, and a click to go back to it."""

from __future__ import annotations

from collections import Counter
from typing import Optional

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QPalette
from qgis.PyQt.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from terrafine.qgis_plugin.history import History, Step, Verb
from terrafine.qgis_plugin.language import grouped, named
from terrafine.qgis_plugin.names import shown
from terrafine.qgis_plugin.requests import REMOVED, Legend

LEAST_HEIGHT_PX = 130
CLASSES_SHOWN = 3  # of those that a step changed, the most changed ones
MINUS = "\N{MINUS SIGN}"


class HistoryPanel(QWidget):
    step_chosen = pyqtSignal(int)  # how many steps are to be done

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[int, list[str]] = (-1, [])
        self.steps = QListWidget()
        self.steps.setMinimumHeight(LEAST_HEIGHT_PX)
        self.steps.setToolTip(self.tr("Click a step to go back to it; steps in grey are undone"))
        self.steps.setAlternatingRowColors(True)
        self.steps.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.steps.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.steps.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.steps.itemClicked.connect(self._choose)
        self.steps.itemActivated.connect(self._choose)
        column = QVBoxLayout(self)
        column.addWidget(self.steps)

    def show_history(self, history: Optional[History]) -> None:
        """Show the steps, the one where the map is now in bold."""
        if history is None:
            return
        names = {item.id: shown(item.name) for item in history.network.legend.classes}
        texts = [self.tr("As it was opened"), *(self._words(step, names) for step in history.steps)]
        if (history.position, texts) == self._shown:
            return
        self._shown = (history.position, texts)
        self.steps.clear()
        for number, text in enumerate(texts):
            self._add(text, number, history.position)
        self.steps.setCurrentRow(history.position)

    def _add(self, text: str, number: int, position: int) -> None:
        item = QListWidgetItem(text)
        item.setToolTip(text)
        font = item.font()
        font.setBold(number == position)
        item.setFont(font)
        if number > position:
            item.setForeground(self.palette().color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text))
        self.steps.addItem(item)

    def _choose(self, item: QListWidgetItem) -> None:
        self.step_chosen.emit(self.steps.row(item))

    def _words(self, step: Step, names: dict[int, str]) -> str:
        """What was done, and on a second line what it changed, if anything."""
        gains = gain_words(step.pixels, names)
        return f"{self._title(step, names)}\n{gains}" if gains else self._title(step, names)

    def _title(self, step: Step, names: dict[int, str]) -> str:
        if step.verb is Verb.DRAW:
            kinds = {"point": self.tr("Point"), "stroke": self.tr("Stroke"), "polygon": self.tr("Polygon")}
            name = "" if step.class_id is None else names.get(step.class_id, "")
            return named(kinds[step.kind], name)
        if step.networks is not None and step.verb is Verb.LEGEND:
            return self._legend_words(*(network.legend for network in step.networks))
        counted = {
            Verb.ERASE: self.tr("Marks erased: {count}"),
            Verb.EDIT: self.tr("Marks edited: {count}"),
            Verb.IMPORT: self.tr("Marks imported: {count}"),
            Verb.LOCK: self.tr("Region locked"),
            Verb.UNLOCK: self.tr("Region unlocked"),
            Verb.LEARN: self.tr("Learnt from the marks"),
            Verb.RESET: self.tr("What was learnt undone"),
            Verb.SIDE: self.tr("Side information"),
        }
        return counted[step.verb].format(count=step.count)

    def _legend_words(self, before: Legend, after: Legend) -> str:
        """A step adds a class, redirects one, or gives one another name or colour."""
        if len(after.classes) > len(before.classes):
            return self.tr("Class added: {name}").format(name=shown(after.classes[-1].name))
        for entry, was, target in zip(after.classes, before.becomes, after.becomes):
            if was == entry.id != target:
                into = "" if target == REMOVED else shown(after.classes[target].name)
                words = self.tr("{name} merged into {into}") if into else self.tr("Class removed: {name}")
                return words.format(name=shown(entry.name), into=into)
        changed = next(new for new, old in zip(after.classes, before.classes) if new != old)
        return self.tr("Class changed: {name}").format(name=shown(changed.name))


def gain_words(pixels: Counter[int], names: dict[int, str]) -> str:
    """Pixels by class, what has gained first, the most changed before the others: "+412 vegetation, −412 land"."""
    changed = sorted((item for item in pixels.items() if item[1]), key=lambda item: (item[1] < 0, -abs(item[1])))
    words = [
        f"{'+' if gain > 0 else MINUS}{grouped(abs(gain))} {names.get(class_id, class_id)}"
        for class_id, gain in changed
    ]
    return ", ".join(words[:CLASSES_SHOWN]) + (" …" if len(words) > CLASSES_SHOWN else "")
