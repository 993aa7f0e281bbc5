"""The steps of a session: what was done in which order, what it changed in the map, and the way back and forth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Optional, Sequence

from terrafine.qgis_plugin.requests import Network
from terrafine.shared.annotation import UNDO_STEPS, Annotation, AnnotationLog, Delta


class Verb(Enum):
    DRAW = "draw"
    ERASE = "erase"
    EDIT = "edit"  # with QGIS's own tools
    IMPORT = "import"
    LOCK = "lock"
    UNLOCK = "unlock"
    LEARN = "learn"
    RESET = "reset"  # what was learnt
    LEGEND = "legend"
    SIDE = "side"  # what the model is told besides marks


@dataclass(frozen=True)
class Change:
    """A change of the marks, or of the locked regions. `gone` is what it took away, which a delta only names.

    `delta` is None for a change of the network: its weights, its legend or what it is told besides marks.
    """

    of_locks: bool
    delta: Optional[Delta]
    gone: tuple[Annotation, ...] = ()


OF_NETWORK = Change(of_locks=False, delta=None)


@dataclass
class Step:
    """Something the user did. `pixels` is what each class gained (or, negative, lost) of the map by it so far."""

    verb: Verb
    kind: str  # of the first mark added, "" if there is none
    count: int  # of marks or regions
    class_id: Optional[int]  # of all marks added; None if there are none or they differ
    revision: int  # of the map since
    pixels: Counter[int] = field(default_factory=Counter)
    networks: Optional[tuple[Network, Network]] = None  # before and after, of a step that changed it


class History:
    """Undo and redo across the logs of a session: each log knows its own way back, the history knows whose turn it is.

    A change of the network takes its revision from the marks' log: one number says all that a map was computed from.
    The steps before `position` are done, those after it undone; a new step forgets the undone ones.
    """

    def __init__(self, marks: AnnotationLog, locks: AnnotationLog, network: Network = Network()) -> None:  # noqa: B008
        self._marks, self._locks, self.network = marks, locks, network
        self.steps: list[Step] = []
        self.position = 0

    @property
    def can_undo(self) -> bool:
        return self.position > 0

    @property
    def can_redo(self) -> bool:
        return self.position < len(self.steps)

    def do(self, verb: Verb, added: Sequence[Annotation] = (), removed: Sequence[str] = ()) -> Change:
        """Change the marks, or the locks, as one step."""
        log = self._log(verb)
        delta = log.change(added, removed)
        classes = {mark.class_id for mark in added}
        class_id = classes.pop() if len(classes) == 1 else None
        kind = added[0].kind if added else ""
        self._append(Step(verb, kind, max(len(added), len(removed)), class_id, self._marks.revision))
        return Change(log is self._locks, delta, log.gone)

    def become(self, verb: Verb, network: Network, revision: int) -> Change:
        """Have another network since `revision`, which `AnnotationLog.take_revision` gave, as one step."""
        self._append(Step(verb, "", 1, None, revision, networks=(self.network, network)))
        self.network = network
        return OF_NETWORK

    def go_to(self, position: int) -> list[Change]:
        """Undo or redo until so many steps are done."""
        changes = []
        while self.position > max(position, 0):
            self.position -= 1
            changes.append(self._travel(self.steps[self.position], back=True))
        while self.position < min(position, len(self.steps)):
            changes.append(self._travel(self.steps[self.position], back=False))
            self.position += 1
        return changes

    def note(self, revision: int, pixels: Counter[int]) -> None:
        """A part of the map of that revision has changed: it is the doing of the step that led there, if one did."""
        for step in self.steps:
            if step.revision == revision and step.verb not in (Verb.LOCK, Verb.UNLOCK):
                step.pixels.update(pixels)

    def _append(self, step: Step) -> None:
        self.steps = [*self.steps[: self.position], step][-UNDO_STEPS:]  # a log remembers no more
        self.position = len(self.steps)

    def _travel(self, step: Step, back: bool) -> Change:
        if step.networks is not None:
            self._marks.take_revision()
            target = step.networks[0 if back else 1]
            self.network = replace(target, legend=target.legend.following(self.network.legend))
            return OF_NETWORK
        log = self._log(step.verb)
        delta = log.undo() if back else log.redo()
        if delta is None:
            raise RuntimeError("the logs and the history went different ways")
        return Change(log is self._locks, delta, log.gone)

    def _log(self, verb: Verb) -> AnnotationLog:
        return self._locks if verb in (Verb.LOCK, Verb.UNLOCK) else self._marks
