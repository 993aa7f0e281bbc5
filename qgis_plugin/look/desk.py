"""What the user does to look where it matters: the panel and its keys become events."""

from __future__ import annotations

from qgis.PyQt.QtCore import QObject, Qt
from qgis.PyQt.QtWidgets import QWidget

from terrafine.qgis_plugin.controller import Controller
from terrafine.qgis_plugin.keys import Action, Chord, Keys, chord
from terrafine.qgis_plugin.look.review import reviewable
from terrafine.qgis_plugin.look.uncertainty_layer import reduction
from terrafine.qgis_plugin.workbench import Workbench
from terrafine.shared.learning import RankOptions


class LookDesk(QObject):
    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench, self._panel = bench, bench.dock.look
        self._connect()
        self._keys = tuple(Keys(widget, self._actions(), self._is_reviewing) for widget in self._places())

    def close(self) -> None:
        for keys in self._keys:
            keys.remove()

    def _connect(self) -> None:
        panel, handle = self._panel, self._bench.handle
        panel.measure_asked.connect(self._measure)
        panel.review_asked.connect(self._review)
        panel.next_asked.connect(lambda: handle(Controller.next_patch))
        panel.patch_ended.connect(lambda fate: handle(lambda c: c.end_patch(fate)))
        panel.patch_chosen.connect(lambda window: handle(lambda c: c.look_at(window)))
        panel.end_asked.connect(lambda: handle(Controller.end_review))

    # ---- keys, on the map whatever tool is in use, and in the dock -------------------------------------------------

    def _places(self) -> tuple[QWidget, ...]:
        return self._bench.iface.mapCanvas(), self._bench.dock

    def _actions(self) -> dict[Chord, Action]:
        return {
            chord(Qt.Key.Key_N): self._panel.next.click,
            chord(Qt.Key.Key_D): self._panel.done.click,
            chord(Qt.Key.Key_S): self._panel.skip.click,
        }

    def _is_reviewing(self) -> bool:
        return self._bench.controller.view().review is not None

    # ---- what is asked for -----------------------------------------------------------------------------------------

    def _measure(self, method: str) -> None:
        """Map the uncertainty of all that is mapped, and show it even if it was hidden."""
        current = self._bench.sessions.of(self._bench.controller.session)
        if current is not None:
            mapped, factor = current.session.mapped, reduction(current.placement.window)
            self._bench.handle(lambda controller: controller.measure(mapped, method, factor))
            self._bench.sessions.look(current.session).set_uncertainty_visible(True)

    def _review(self, options: RankOptions) -> None:
        """Begin a way through all that is mapped; the uncertainty would hide what is to be looked at."""
        current = self._bench.sessions.of(self._bench.controller.session)
        if current is not None:
            area = reviewable(current.session.mapped, current.placement.window, options.size_px)
            self._bench.handle(lambda controller: controller.review(area, options))
            self._bench.sessions.look(current.session).set_uncertainty_visible(False)
