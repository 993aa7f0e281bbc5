"""What the user does to correct the map: tools, keys and the marks panel become events."""

from __future__ import annotations

from typing import Callable

from qgis.PyQt.QtCore import QObject, Qt

from terrafine.qgis_plugin.controller import Controller
from terrafine.qgis_plugin.effects import Tell
from terrafine.qgis_plugin.keys import Action, Chord, Keys, chord
from terrafine.qgis_plugin.legend.widget import KEYS
from terrafine.qgis_plugin.marks.tool_buttons import TOOL_KEYS
from terrafine.qgis_plugin.workbench import Workbench


class MarksDesk(QObject):
    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench, self._panel, self._toolbox = bench, bench.dock.marks, bench.toolbox
        self._connect_panel()
        self._connect_tools()
        self._keys = self._route_keys()

    def close(self) -> None:
        for keys in self._keys:
            keys.remove()

    def _connect_panel(self) -> None:
        panel, handle = self._panel, self._bench.handle
        panel.legend.class_chosen.connect(self._choose_class)
        panel.tools.chosen.connect(self._toolbox.choose)
        panel.tools.undo_asked.connect(lambda: handle(Controller.undo))
        panel.tools.redo_asked.connect(lambda: handle(Controller.redo))
        self._bench.dock.history.step_chosen.connect(lambda position: handle(lambda c: c.go_to(position)))
        panel.width_chosen.connect(self._choose_width)
        panel.live_switched.connect(self._switch_live)
        panel.refresh_asked.connect(lambda: handle(Controller.refresh))

    def _connect_tools(self) -> None:
        handle, toolbox = self._bench.handle, self._toolbox
        toolbox.changed.connect(self._panel.show_tool)
        for tool in toolbox.tools.values():
            tool.missed.connect(self._missed)
            tool.crossed.connect(self._crossed)
            if tool is toolbox.lock:
                tool.drawn.connect(lambda kind, outline, width: handle(lambda c: c.lock(outline)))
            else:
                tool.drawn.connect(lambda kind, at, width: handle(lambda c: c.draw(kind, at, width)))
            if tool is toolbox.unlock:
                tool.erased.connect(lambda ids: handle(lambda c: c.unlock(ids)))
            else:
                tool.erased.connect(lambda ids: handle(lambda c: c.erase(ids)))
        toolbox.pick.picked.connect(self._pick_class)

    # ---- keys ------------------------------------------------------------------------------------------------------

    def _route_keys(self) -> tuple[Keys, Keys]:
        """Letters and numbers work on the map while one of our tools is in use, and in the dock at any time."""
        bench, toolbox = self._bench, self._toolbox
        drawing: dict[Chord, Action] = {
            chord(Qt.Key.Key_Escape): toolbox.escape,
            chord(Qt.Key.Key_Backspace): self._backspace,
            chord(Qt.Key.Key_Return): toolbox.finish,
            chord(Qt.Key.Key_Enter): toolbox.finish,
            chord(TOOL_KEYS["pick"]): toolbox.pick_under_cursor,
        }
        return (
            Keys(bench.iface.mapCanvas(), {**self._anywhere(), **drawing}, lambda: bool(toolbox.current)),
            Keys(bench.dock, self._anywhere(), lambda: bench.controller.view().has_session),
        )

    def _anywhere(self) -> dict[Chord, Action]:
        """Keys that need no mouse."""
        handle = self._bench.handle
        keys: dict[Chord, Action] = {chord(Qt.Key.Key_1 + i): self._key_of_class(i) for i in range(KEYS)}
        keys.update({chord(key): self._key_of_tool(name) for name, key in TOOL_KEYS.items()})
        keys[chord(Qt.Key.Key_BracketLeft)] = lambda: self._panel.step_width(-1)
        keys[chord(Qt.Key.Key_BracketRight)] = lambda: self._panel.step_width(1)
        keys[chord(Qt.Key.Key_Z, control=True)] = lambda: handle(Controller.undo)
        keys[chord(Qt.Key.Key_Z, control=True, shift=True)] = lambda: handle(Controller.redo)
        return keys

    def _key_of_class(self, number: int) -> Callable[[], None]:
        def pick() -> None:
            legend = self._bench.controller.legend
            if number < len(legend):
                self._choose_class(legend[number].id)

        return pick

    def _key_of_tool(self, name: str) -> Callable[[], None]:
        return lambda: self._toolbox.choose(name)

    def _backspace(self) -> None:
        """Take back the last vertex of what is being drawn, else the last mark."""
        if not self._toolbox.take_back():
            self._bench.handle(Controller.erase_last)

    # ---- choices ---------------------------------------------------------------------------------------------------

    def _choose_class(self, class_id: int) -> None:
        self._bench.handle(lambda controller: controller.choose_class(class_id))
        if self._bench.controller.view().has_session and not self._toolbox.current:
            self._toolbox.draw_again()

    def _pick_class(self, x: float, y: float) -> None:
        """Draw with the class that the map has there."""
        current = self._bench.sessions.of(self._bench.controller.session)
        class_id = current.map.class_at(x, y) if current else None
        if class_id is None:
            self._bench.tell(Tell(self.tr("Nothing is classified there."), self.tr("Pick a class of the map.")))
            return
        self._choose_class(class_id)
        if self._toolbox.current == "pick":
            self._toolbox.draw_again()

    def _choose_width(self, width_px: float) -> None:
        self._bench.settings.stroke_width_px = width_px
        self._toolbox.show_width()

    def _switch_live(self, live: bool) -> None:
        self._bench.settings.live = live
        self._bench.handle(lambda controller: controller.set_live(live))

    # ---- what goes wrong -------------------------------------------------------------------------------------------

    def _missed(self) -> None:
        self._bench.tell(Tell(self.tr("There is no image there."), self.tr("Marks go onto the classified raster.")))

    def _crossed(self) -> None:
        self._bench.tell(Tell(self.tr("The outline crosses itself."), self.tr("Draw it again without a loop.")))
