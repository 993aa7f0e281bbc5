"""Events of marks and locked regions. They are in the log, and stored, before anything is sent."""

from __future__ import annotations

import uuid

from terrafine.qgis_plugin.effects import Effect, ShowNetwork, StoreLocks, StoreMarks
from terrafine.qgis_plugin.history import Change, Step, Verb
from terrafine.qgis_plugin.maps.events import WorkEvents
from terrafine.shared.annotation import Annotation


class MarkEvents(WorkEvents):
    def draw(self, kind: str, vertices: tuple[tuple[float, float], ...], width_px: float = 0.0) -> list[Effect]:
        """A mark of the current class, in the session's raster's pixel coordinates."""
        return self.change(Verb.DRAW, (Annotation(str(uuid.uuid4()), kind, vertices, self.class_id, width_px),))

    def erase(self, ids: tuple[str, ...]) -> list[Effect]:
        return self.change(Verb.ERASE, removed=ids)

    def erase_last(self) -> list[Effect]:
        marks = self.session.log.marks if self.session else ()
        return self.erase(tuple(mark.id for mark in marks[-1:]))

    def lock(self, outline: tuple[tuple[float, float], ...]) -> list[Effect]:
        """Keep a region of the map as it is, whatever is drawn from now on."""
        return self.change(Verb.LOCK, (Annotation(str(uuid.uuid4()), "polygon", outline, 0),))

    def unlock(self, ids: tuple[str, ...]) -> list[Effect]:
        return self.change(Verb.UNLOCK, removed=ids)

    def change(self, verb: Verb, added: tuple[Annotation, ...] = (), removed: tuple[str, ...] = ()) -> list[Effect]:
        """Change marks, or locked regions, as one step; nothing to change is no step."""
        if self.session is None or not (added or removed):
            return []
        return self._changed([self.session.history.do(verb, added, removed)])

    def withdraw(self, step: Step, ids: tuple[str, ...]) -> list[Effect]:
        """Take a step back that added these marks, whatever was done since."""
        if self.session is None:
            return []
        history = self.session.history
        if history.steps[: history.position][-1:] == [step]:
            return self.undo()
        added = frozenset(ids)
        return self.erase(tuple(mark.id for mark in self.session.log.marks if mark.id in added))

    def undo(self) -> list[Effect]:
        return self.go_to(self.session.history.position - 1) if self.session else []

    def redo(self) -> list[Effect]:
        return self.go_to(self.session.history.position + 1) if self.session else []

    def go_to(self, position: int) -> list[Effect]:
        """Undo or redo until so many steps of the history are done."""
        return self._changed(self.session.history.go_to(position)) if self.session else []

    def _changed(self, changes: list[Change]) -> list[Effect]:
        for change in changes:
            self.session.mind(change)
        if any(change.gone for change in changes):
            self.advice = None  # it was about marks that are gone
        stores = [_store(change) for change in changes]
        return [*stores, *self._refresh_if_live()] if stores else []


def _store(change: Change) -> Effect:
    if change.delta is None:
        return ShowNetwork()
    return StoreLocks(change.delta) if change.of_locks else StoreMarks(change.delta)
