"""Keys that work on the canvas and in the dock only, whatever QGIS uses them for elsewhere.

Qt asks a widget with a ShortcutOverride event whether it wants a key for itself before the main window's shortcuts see
it. Accepting that is the one way to have Ctrl+Z on the canvas without an ambiguity with QGIS's own undo.
"""

from __future__ import annotations

from typing import Callable, Mapping

from qgis.PyQt.QtCore import QEvent, QObject, Qt
from qgis.PyQt.QtGui import QKeyEvent
from qgis.PyQt.QtWidgets import QWidget

Chord = tuple[int, bool, bool]  # key, control, shift
Action = Callable[[], None]


def chord(key: Qt.Key, control: bool = False, shift: bool = False) -> Chord:
    return int(key), control, shift


class Keys(QObject):
    """Routes chords that reach `widget` or its children to `actions`, while `enabled()`."""

    def __init__(self, widget: QWidget, actions: Mapping[Chord, Action], enabled: Callable[[], bool]) -> None:
        super().__init__(widget)
        self._widget, self._actions, self._enabled = widget, actions, enabled
        widget.installEventFilter(self)

    def remove(self) -> None:
        self._widget.removeEventFilter(self)
        self.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if event.type() not in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress):
            return False
        action = self._actions.get(_chord_of(event))
        if action is None or not self._enabled():
            return False
        event.accept()
        if event.type() == QEvent.Type.KeyPress:
            action()
        return True


def _chord_of(event: QKeyEvent) -> Chord:
    held = event.modifiers()
    control = bool(held & Qt.KeyboardModifier.ControlModifier)
    return int(event.key()), control, bool(held & Qt.KeyboardModifier.ShiftModifier)
