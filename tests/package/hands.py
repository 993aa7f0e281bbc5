"""What somebody at QGIS's window does, with mouse and keyboard, by the words that stand on the screen.

`used` keeps the words in order: the guide's steps are compared with it. Runs inside QGIS.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, Iterator, Optional

from qgis.core import QgsPointXY, QgsProject
from qgis.PyQt.QtCore import QEvent, QPoint, QPointF, QRect, Qt, QTimer
from qgis.PyQt.QtGui import QMouseEvent, QPixmap
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QLabel,
    QLayout,
    QLayoutItem,
    QLineEdit,
    QMenu,
    QTabBar,
    QWidget,
)

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NONE = Qt.KeyboardModifier.NoModifier
PATIENCE_S = 120.0
DIALOG_S = 1.5  # until a file dialog is there
POPUP_S = 0.5  # a popup takes a click that comes sooner for the one that opened it


class Hands:
    def __init__(self, iface, pictures: Path) -> None:
        self.iface, self.window, self.canvas = iface, iface.mainWindow(), iface.mapCanvas()
        self.used: list[str] = []
        self.pictures = pictures

    # ---- waiting ---------------------------------------------------------------------------------------------------

    def pause(self, seconds: float) -> None:
        QTest.qWait(int(1000 * seconds))

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Let QGIS run until something is so; raises TimeoutError that says what is open."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                titles = [widget.windowTitle() for widget in QApplication.topLevelWidgets() if widget.isVisible()]
                raise TimeoutError(f"waited in vain: {what}; last used: {self.used[-3:]}; open: {titles}")
            self.pause(0.03)

    # ---- mouse on words --------------------------------------------------------------------------------------------

    def press(self, words: str) -> None:
        """Click the button or the tab that says so; an icon's words are its tooltip's first ones."""
        self.used.append(words)
        self.until(lambda: self._clickable(words) is not None, f"'{words}' can be pressed")
        widget, at = self._clickable(words)
        QTest.mouseClick(widget, LEFT, NONE, at)

    def choose(self, words: str, value: str) -> None:
        """Open the list beside some words and click one of its entries."""
        self.used.append(words)
        combo = self._field(words, QComboBox)
        index = _entry(combo, value)
        QTest.mouseClick(combo, LEFT)
        self.pause(POPUP_S)
        view = combo.view()
        QTest.mouseClick(view.viewport(), LEFT, NONE, view.visualRect(view.model().index(index, 0)).center())
        self.pause(0.1)

    def type_into(self, words: str, text: str) -> None:
        """Replace what stands in the line beside some words."""
        self.used.append(words)
        self.fill(self._field(words, QLineEdit), text)

    def fill(self, line: QLineEdit, text: str) -> None:
        QTest.mouseClick(line, LEFT)
        line.selectAll()
        QTest.keyClicks(line, text)

    def menu(self, *path: str) -> None:
        """Go through the menu bar: menu("Raster", "Terrafine", "Label samples…")."""
        self.used.append(" › ".join(path))
        bar = self.window.menuBar()
        action = _action(bar.actions(), path[0])
        QTest.mouseClick(bar, LEFT, NONE, bar.actionGeometry(action).center())
        for words in path[1:]:
            self.pause(0.2)
            self._click_entry(action.menu(), words)
            action = _action(action.menu().actions(), words)

    def menu_of(self, button: str, entry: str) -> None:
        """Open the menu of a button and click an entry, which alone counts as used."""
        self.until(lambda: self._clickable(button) is not None, f"'{button}' can be pressed")
        widget, at = self._clickable(button)
        click = lambda: self._click_entry(QApplication.activePopupWidget(), entry)  # noqa: E731
        self._meanwhile(POPUP_S, click, lambda: QTest.mouseClick(widget, LEFT, NONE, at))
        self.used.append(entry)

    def _click_entry(self, menu: QMenu, words: str) -> None:
        if not _action(menu.actions(), words).isEnabled():
            raise LookupError(f"'{words}' is disabled")
        QTest.mouseClick(menu, LEFT, NONE, menu.actionGeometry(_action(menu.actions(), words)).center())

    def save_as(self, path: Path, ask: Callable[[], None]) -> None:
        """Give the file dialog that `ask` opens a path."""

        def answer() -> None:
            dialog = next(w for w in QApplication.topLevelWidgets() if isinstance(w, QFileDialog) and w.isVisible())
            line = dialog.findChild(QLineEdit)
            self.fill(line, str(path))
            QTest.keyClick(line, Qt.Key.Key_Return)

        self._meanwhile(DIALOG_S, answer, ask)

    def _meanwhile(self, seconds: float, action: Callable[[], None], modal: Callable[[], None]) -> None:
        """Do something while `modal` holds up whoever called it, as menus and many windows do."""
        ends: list[Optional[Exception]] = []

        def act() -> None:
            try:
                action()
                ends.append(None)
            except Exception as error:  # noqa: BLE001 - raised again below, where somebody hears of it
                ends.append(error)
                self._close_what_is_modal()

        QTimer.singleShot(int(1000 * seconds), act)
        modal()
        self.until(lambda: bool(ends), "what was begun has ended")
        if ends[0] is not None:
            raise ends[0]

    def _close_what_is_modal(self) -> None:
        for widget in QApplication.topLevelWidgets():
            if widget.isVisible() and isinstance(widget, (QDialog, QMenu)):
                widget.close()

    # ---- on the map ------------------------------------------------------------------------------------------------

    def canvas_middle(self) -> QgsPointXY:
        return self.canvas.extent().center()

    def click(self, point: QgsPointXY, button: Qt.MouseButton = LEFT) -> None:
        QTest.mouseClick(self.canvas.viewport(), button, NONE, self._on_screen(point))

    def move(self, point: QgsPointXY) -> None:
        self._move_to(self._on_screen(point), Qt.MouseButton.NoButton)

    def drag(self, points: list[QgsPointXY]) -> None:
        """Press at the first point, move along the others, release at the last."""
        places = [self._on_screen(point) for point in points]
        QTest.mousePress(self.canvas.viewport(), LEFT, NONE, places[0])
        for place in places[1:]:
            self._move_to(place, LEFT)
        QTest.mouseRelease(self.canvas.viewport(), LEFT, NONE, places[-1])

    def key(self, key: Qt.Key, words: str = "", held: Qt.KeyboardModifier = NONE) -> None:
        """A key on the map; `words` if the guide names it."""
        if words:
            self.used.append(words)
        QTest.keyClick(self.canvas, key, held)

    def _move_to(self, place: QPoint, button: Qt.MouseButton) -> None:
        event = QMouseEvent(QEvent.Type.MouseMove, QPointF(place), Qt.MouseButton.NoButton, button, NONE)
        QApplication.sendEvent(self.canvas.viewport(), event)

    def _on_screen(self, point: QgsPointXY) -> QPoint:
        shown = self.canvas.getCoordinateTransform().transform(point)
        return QPoint(round(shown.x()), round(shown.y()))

    # ---- seeing ----------------------------------------------------------------------------------------------------

    def picture(self, name: str, of: Optional[QWidget] = None, part: Optional[QRect] = None) -> None:
        """Save what a part of the screen shows: by default the whole window."""
        self.canvas.waitWhileRendering()
        self.iface.messageBar().clearWidgets()
        self.pause(0.4)
        widget = of or self.window
        shown: QPixmap = widget.grab(part) if part else widget.grab()
        shown.save(str(self.pictures / f"{name}.png"))

    def layer(self, words: str):
        """The project's layer whose name ends with the words."""
        found = [layer for layer in QgsProject.instance().mapLayers().values() if layer.name().endswith(words)]
        if not found:
            raise LookupError(f"there is no layer '{words}'")
        return found[-1]

    def dialog(self, title: str) -> QDialog:
        """The window with that title, as soon as it is open; Processing writes names as headlines, and adds to them."""
        self.until(lambda: self._dialog(title) is not None, f"the window '{title}' is open")
        self.pause(0.2)
        return self._dialog(title)

    def _dialog(self, title: str) -> Optional[QDialog]:
        open_ones = [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]
        dialogs = (widget for widget in open_ones if isinstance(widget, QDialog))
        return next((dialog for dialog in dialogs if title.lower() in dialog.windowTitle().lower()), None)

    # ---- finding words ---------------------------------------------------------------------------------------------

    def _scopes(self) -> Iterator[QWidget]:
        """Where words are looked for: open windows before the docks, these before the rest."""
        open_ones = [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]
        yield from (widget for widget in open_ones if isinstance(widget, QDialog))
        for name in ("TerrafineLabelling", "TerrafineDock"):
            dock = self.window.findChild(QWidget, name)
            if dock is not None and dock.isVisible():
                yield dock

    def _clickable(self, words: str) -> Optional[tuple[QWidget, QPoint]]:
        for scope in self._scopes():
            for button in scope.findChildren(QAbstractButton):
                if button.isVisible() and button.isEnabled() and _says(button, words):
                    return button, button.rect().center()
            for bar in scope.findChildren(QTabBar):
                for index in range(bar.count()):
                    if bar.isVisible() and bar.tabText(index) == words:
                        return bar, bar.tabRect(index).center()
        return None

    def _field(self, words: str, kind: type) -> QWidget:
        """The widget of a kind that a label with these words stands beside or above."""
        for scope in self._scopes():
            for label in scope.findChildren(QLabel):
                if label.isVisible() and label.text().split(" [")[0] == words:
                    found = _after(label, kind)
                    if found is not None:
                        return found
        raise LookupError(f"nothing beside '{words}'")


def _says(button: QAbstractButton, words: str) -> bool:
    text = button.text().replace("&", "").strip()
    return text == words if text else button.accessibleName().startswith(words)


def _entry(combo: QComboBox, value: str) -> int:
    """Where a list has a value; behind a layer's name stands its coordinate system."""
    entries = [combo.itemText(i) for i in range(combo.count())]
    found = [i for i, entry in enumerate(entries) if entry == value or entry.startswith(f"{value} [")]
    if not found:
        raise LookupError(f"'{value}' is none of {entries}")
    return found[0]


def _action(actions, words: str):
    plain = [action for action in actions if action.text().replace("&", "") == words]
    if not plain:
        raise LookupError(f"no '{words}' among {[action.text() for action in actions]}")
    return plain[0]


def _after(label: QLabel, kind: type) -> Optional[QWidget]:
    """The first widget of a kind in what follows the label in its layout."""
    for layout in label.parentWidget().findChildren(QLayout):
        if isinstance(layout, QFormLayout):
            row = layout.getWidgetPosition(label)[0]
            items = [layout.itemAt(row, QFormLayout.ItemRole.FieldRole)] if row >= 0 else []
        else:
            items = _following(layout, layout.indexOf(label))
        for widget in (widget for item in items for widget in _widgets(item, kind)):
            if widget.isVisible():
                return widget
    return None


def _following(layout: QLayout, at: int) -> list[QLayoutItem]:
    """What comes after a layout's item, in a grid what stands in its row."""
    if at < 0:
        return []
    items = [layout.itemAt(i) for i in range(layout.count())]
    if not isinstance(layout, QGridLayout):
        return items[at + 1 :]
    row, column = layout.getItemPosition(at)[:2]
    places = [layout.getItemPosition(i)[:2] for i in range(layout.count())]
    return [item for item, place in zip(items, places) if place[0] == row and place[1] > column]


def _widgets(item: QLayoutItem, kind: type) -> list[QWidget]:
    """Those of a kind in an item of a layout."""
    if item.widget() is not None:
        return [item.widget()] if isinstance(item.widget(), kind) else item.widget().findChildren(kind)
    inner = item.layout()
    return [widget for i in range(inner.count()) for widget in _widgets(inner.itemAt(i), kind)] if inner else []
