"""What the user does about learning: the learn panel, its keys and the swipe become events."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.PyQt.QtCore import QObject, Qt

from terrafine.qgis_plugin.controller import Controller
from terrafine.qgis_plugin.keys import Action, Chord, Keys, chord
from terrafine.qgis_plugin.learn.save_dialog import SaveModelDialog
from terrafine.qgis_plugin.maps.swipe import Swipe
from terrafine.qgis_plugin.workbench import Workbench
from terrafine.shared.learning import LearnOptions


class LearnDesk(QObject):
    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench, self._panel = bench, bench.dock.learn
        self.swipe = Swipe(bench.iface.mapCanvas())
        self.dialog: Optional[SaveModelDialog] = None
        self._compared: Optional[Path] = None  # the copy of the map that is shown
        self._connect_panel()
        self._keys = self._route_keys()

    def close(self) -> None:
        for keys in self._keys:
            keys.remove()
        self._bench.shown.disconnect(self._show)
        self.swipe.deactivated.disconnect(self._show)
        self.swipe.end()
        self.swipe.deleteLater()

    def _connect_panel(self) -> None:
        panel, handle = self._panel, self._bench.handle
        panel.learn_asked.connect(self._learn)
        panel.scope_chosen.connect(self._choose_scope)
        panel.reset_asked.connect(lambda: handle(Controller.reset_learning))
        panel.save_asked.connect(self._ask_save)
        panel.compare_asked.connect(self._compare)
        self.swipe.deactivated.connect(self._show)
        self._bench.shown.connect(self._show)

    def _route_keys(self) -> tuple[Keys, Keys, Keys]:
        """Letters as those of the tools: on the map while one of our tools is in use, in the dock at any time."""
        bench, swipe = self._bench, self.swipe
        keys: dict[Chord, Action] = {
            chord(Qt.Key.Key_L): self._learn,
            chord(Qt.Key.Key_C): lambda: self._compare(not swipe.is_on),
        }
        swiping: dict[Chord, Action] = {
            chord(Qt.Key.Key_Escape): swipe.end,
            chord(Qt.Key.Key_Left): lambda: swipe.step(-1),
            chord(Qt.Key.Key_Right): lambda: swipe.step(1),
        }
        canvas = bench.iface.mapCanvas()
        return (
            Keys(canvas, keys, lambda: bool(bench.toolbox.current) or swipe.is_on),
            Keys(canvas, swiping, lambda: swipe.is_on),
            Keys(bench.dock, {**keys, chord(Qt.Key.Key_Escape): swipe.end}, self._is_at_work),
        )

    def _is_at_work(self) -> bool:
        return self._bench.controller.session is not None

    # ---- learning --------------------------------------------------------------------------------------------------

    def _learn(self) -> None:
        options = LearnOptions(self._bench.settings.learn_scope)
        self._bench.handle(lambda controller: controller.learn(options))

    def _choose_scope(self, scope: str) -> None:
        self._bench.settings.learn_scope = scope

    def _ask_save(self) -> None:
        session, models = self._bench.controller.session, self._bench.controller.models
        if session is None:
            return
        self.dialog = SaveModelDialog(session.model, models, self._bench.iface.mainWindow())
        self.dialog.accepted.connect(lambda: self._save(self.dialog.name.text(), self.dialog.title.text()))
        self.dialog.finished.connect(self.dialog.deleteLater)
        self.dialog.open()

    def _save(self, name: str, title: str) -> None:
        self._bench.handle(lambda controller: controller.save_model(name, title.strip()))

    # ---- before and after ------------------------------------------------------------------------------------------

    def _compare(self, on: bool) -> None:
        current = self._bench.sessions.of(self._bench.controller.session)
        before = current.before() if current is not None and on else None
        if before is None:
            self.swipe.end()
        elif not self.swipe.is_on:
            self._compared = current.map.copy.path
            self.swipe.begin(current.map.layer, before)
        self._show()

    def _show(self) -> None:
        """Another image, or another map of before, ends the comparison."""
        current = self._bench.sessions.of(self._bench.controller.session)
        path = current.map.copy.path if current is not None else None
        if self.swipe.is_on and path != self._compared:
            self.swipe.end()
        self._panel.show_comparison(path is not None, self.swipe.is_on)
