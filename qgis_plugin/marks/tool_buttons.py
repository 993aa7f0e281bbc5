"""The row of tool buttons in the marks panel, their keys, and a line that says how the tool in use works."""

from __future__ import annotations

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget

from terrafine.qgis_plugin.language import named
from terrafine.qgis_plugin.widgets import note, tool_button

TOOL_KEYS = {
    "point": Qt.Key.Key_P,
    "stroke": Qt.Key.Key_B,
    "polygon": Qt.Key.Key_G,
    "rectangle": Qt.Key.Key_R,
    "object": Qt.Key.Key_O,
    "eraser": Qt.Key.Key_E,
    "pick": Qt.Key.Key_I,
    "lock": Qt.Key.Key_K,
    "unlock": Qt.Key.Key_U,
}
GAP_PX = 8


class ToolButtons(QWidget):
    chosen = pyqtSignal(str)  # a tool's name, "" for none
    undo_asked = pyqtSignal()
    redo_asked = pyqtSignal()
    import_asked = pyqtSignal()
    export_asked = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self._names, self._hints = self._texts()
        self.buttons = {name: tool_button(name, self._tip(name), checkable=True) for name in TOOL_KEYS}
        self.undo = tool_button("undo", self.tr("Undo (Ctrl+Z)"))
        self.redo = tool_button("redo", self.tr("Redo (Ctrl+Shift+Z)"))
        self.more = self._more_button()
        self.hint = note()
        self._lay_out()
        for name, button in self.buttons.items():
            button.clicked.connect(lambda on, name=name: self.chosen.emit(name if on else ""))
        self.undo.clicked.connect(self.undo_asked)
        self.redo.clicked.connect(self.redo_asked)

    def show_possible(self, drawing: bool, undo: bool, redo: bool) -> None:
        for button in self.buttons.values():
            button.setEnabled(drawing)
        self.undo.setEnabled(undo)
        self.redo.setEnabled(redo)
        self.more.setEnabled(drawing)
        self.hint.setVisible(drawing)

    def show_tool(self, name: str) -> None:
        """Press the button of the tool in use and say how it works, or, for "", how to begin."""
        for tool, button in self.buttons.items():
            button.setChecked(tool == name)
        self.hint.setText(named(self._names[name], self._hints[name]) if name else self._invitation())

    def _invitation(self) -> str:
        return self.tr("Pick the right class above, then click on the map where it is wrong.")

    def _more_button(self) -> QToolButton:
        button, menu = tool_button("more", self.tr("Import and export marks")), QMenu(self)
        menu.addAction(self.tr("Import marks from a vector layer…")).triggered.connect(lambda: self.import_asked.emit())
        menu.addAction(self.tr("Export the marks…")).triggered.connect(lambda: self.export_asked.emit())
        button.setMenu(menu)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _texts(self) -> tuple[dict[str, str], dict[str, str]]:
        """Names and instructions of the tools."""
        names = {
            "point": self.tr("Point"),
            "stroke": self.tr("Stroke"),
            "polygon": self.tr("Polygon"),
            "rectangle": self.tr("Rectangle"),
            "object": self.tr("Object"),
            "eraser": self.tr("Erase marks"),
            "pick": self.tr("Pick a class"),
            "lock": self.tr("Lock"),
            "unlock": self.tr("Unlock"),
        }
        hints = {
            "point": self.tr("click where the map is wrong"),
            "stroke": self.tr("press, draw along what the map gets wrong, release"),
            "polygon": self.tr("click the corners; a right click or Enter completes it, Backspace takes one back"),
            "rectangle": self.tr("press at one corner, release at the opposite one"),
            "object": self.tr(
                "drag a box around it, click inside; left clicks add, right clicks take away, Enter accepts, Esc drops"
            ),
            "eraser": self.tr("click or draw over marks to remove them"),
            "pick": self.tr("click on the map to draw with the class that it shows there"),
            "lock": self.tr("draw a polygon around what is finished: it stays as it is"),
            "unlock": self.tr("click on a locked region to set it free"),
        }
        return names, hints

    def _tip(self, name: str) -> str:
        return named(f"{self._names[name]} ({chr(TOOL_KEYS[name])})", self._hints[name])

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.setSpacing(0)
        for name, button in self.buttons.items():
            if name in ("eraser", "lock"):
                line.addSpacing(GAP_PX)
            line.addWidget(button)
        line.addStretch(1)
        line.addWidget(self.undo)
        line.addWidget(self.redo)
        line.addWidget(self.more)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(line)
        column.addWidget(self.hint)
        self.hint.hide()
        self.show_tool("")
