"""Marks on a raster, and the log that undo and redo run along.

A mark's coordinates are pixel coordinates of the raster it was drawn on (see `geo`), never of the map or of a tile.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from dataclasses import dataclass
from typing import AbstractSet, Optional, Sequence

from terrafine.shared.errors import BadRequest, RevisionMismatch
from terrafine.shared.geo import Window

KINDS = ("point", "stroke", "polygon")
MAX_CLASS_ID = 254  # 255 means "no data" in a class raster
MAX_COORDINATE = 2.0**31  # beyond any raster that GDAL can open
UNDO_STEPS = 1000
_MIN_VERTICES = {"point": 1, "stroke": 1, "polygon": 3}


@dataclass(frozen=True)
class Annotation:
    """One mark: "here the map should say `class_id`".

    id         unique within a session, chosen by whoever drew the mark
    kind       "point", "stroke" (an open line, `width_px` wide) or "polygon" (closed by itself, not self-touching)
    vertices   ((x, y), …) in raster pixel coordinates
    class_id   0 … 254
    width_px   width of a stroke in raster pixels; 0 for a hairline and for other kinds
    """

    id: str
    kind: str
    vertices: tuple[tuple[float, float], ...]
    class_id: int
    width_px: float = 0.0

    def __hash__(self) -> int:
        return hash(self.id)  # quick: the engine looks marks up by the thousand

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadRequest(f"'{self.kind}' is no kind of mark.", f"Use one of {', '.join(KINDS)}.")
        if len(self.vertices) < _MIN_VERTICES[self.kind] or (self.kind == "point" and len(self.vertices) != 1):
            raise BadRequest(f"A {self.kind} cannot have {len(self.vertices)} vertices.")
        if not all(abs(value) <= MAX_COORDINATE for vertex in self.vertices for value in vertex):  # NaN is refused too
            raise BadRequest("A mark's coordinates must be finite numbers within any raster's reach.")
        if not 0 <= self.class_id <= MAX_CLASS_ID:
            raise BadRequest(f"A class id lies between 0 and {MAX_CLASS_ID}, not {self.class_id}.")
        if not 0.0 <= self.width_px <= MAX_COORDINATE:
            raise BadRequest(f"A stroke cannot be {self.width_px} pixels wide.")


def bounds(mark: Annotation, reach: float = 0.0) -> Window:
    """The window of all pixels within `reach` pixels of the mark (half a stroke's width included)."""
    grow = reach + mark.width_px / 2
    xs, ys = zip(*mark.vertices)
    col, row = math.floor(min(xs) - grow), math.floor(min(ys) - grow)
    return Window(col, row, math.floor(max(xs) + grow) + 1 - col, math.floor(max(ys) + grow) + 1 - row)


@dataclass(frozen=True)
class Delta:
    """What turns the marks of revision `base` into those of `revision`: marks removed (by id), then marks added.

    Later marks win over earlier ones, so order counts. `places` holds the index in the new order of each added mark,
    ascending, which an undo needs to put marks back where they were; without it they go to the end.
    """

    base: int
    revision: int
    added: tuple[Annotation, ...] = ()
    removed: tuple[str, ...] = ()
    places: tuple[int, ...] = ()


class AnnotationLog:
    """The marks of one session, in the order they were drawn, with undo and redo.

    Every change, an undo and a redo included, is a new revision: revisions only grow, so "newer" is never in doubt.
    The side that draws calls `add`, `remove`, `change`, `undo`, `redo` and sends the `Delta` it gets back; the other
    side `apply`s it, and has nothing to undo itself. A change that is refused changes nothing.
    """

    def __init__(self) -> None:
        self._marks: tuple[Annotation, ...] = ()
        self._ids: set[str] = set()
        self._undo: deque[Delta] = deque(maxlen=UNDO_STEPS)
        self._redo: deque[Delta] = deque(maxlen=UNDO_STEPS)
        self.revision = 0
        self.gone: tuple[Annotation, ...] = ()  # marks that the last change took away

    @property
    def marks(self) -> tuple[Annotation, ...]:
        """All marks that count now, oldest first; where they touch, later ones win."""
        return self._marks

    @property
    def can_undo(self) -> bool:
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        return bool(self._redo)

    def add(self, *marks: Annotation) -> Delta:
        """Append marks as one step."""
        return self.change(added=marks)

    def remove(self, *ids: str) -> Delta:
        """Remove marks by id as one step; ids that are not there raise BadRequest."""
        return self.change(removed=ids)

    def change(self, added: Sequence[Annotation] = (), removed: Sequence[str] = ()) -> Delta:
        """Remove and add marks as one step that one undo takes back."""
        delta = Delta(self.revision, self.revision + 1, tuple(added), tuple(removed))
        self._undo.append(self._carry_out(delta))
        self._redo.clear()
        return delta

    def undo(self) -> Optional[Delta]:
        """Take back the last step; None if there is none."""
        return self._travel(self._undo, self._redo)

    def redo(self) -> Optional[Delta]:
        """Do again what was last undone; None if there is nothing."""
        return self._travel(self._redo, self._undo)

    def take_revision(self) -> int:
        """A revision for a change of the map that is none of the marks'; undo and redo of marks go on across it."""
        self.revision += 1
        return self.revision

    def apply(self, delta: Delta) -> Delta:
        """Follow the other side's change, and return the way back.

        Raises RevisionMismatch if it does not start at this log's revision.
        """
        self.check_follows(delta.base, delta.revision)
        inverse = self._carry_out(delta)
        self._forget_steps()
        return inverse

    def check_follows(self, base: int, revision: int) -> None:
        """Raise RevisionMismatch for a change that does not lead from this log's revision to a later one."""
        if base != self.revision or revision <= base:
            raise RevisionMismatch(
                f"The change leads from revision {base} to {revision}, the log is at {self.revision}.",
                "Send all marks again with 'set_annotations'.",
            )

    def replace(self, marks: Sequence[Annotation], revision: int) -> None:
        """Forget everything and hold exactly `marks` at `revision`."""
        ids = _unique(marks)
        self._marks, self._ids, self.revision = tuple(marks), ids, revision
        self._forget_steps()

    def _forget_steps(self) -> None:
        self._undo.clear()
        self._redo.clear()

    def _travel(self, source: deque[Delta], target: deque[Delta]) -> Optional[Delta]:
        """Carry out the last step of `source`; its inverse goes to `target`."""
        if not source:
            return None
        delta = dataclasses.replace(source.pop(), base=self.revision, revision=self.revision + 1)
        target.append(self._carry_out(delta))
        return delta

    def _carry_out(self, delta: Delta) -> Delta:
        """Change the marks and return the inverse. A new mark, and its undoing, look at no other one."""
        removed = frozenset(delta.removed)
        kept, places = _parted(self._marks, removed)
        if len(places) != len(delta.removed):
            raise BadRequest("A mark to remove is not there.", "Send all marks again with 'set_annotations'.")
        added = _unique(delta.added)
        for mark_id in (added & self._ids) - removed:
            raise _twice(mark_id)
        self.gone = tuple(self._marks[place] for place in places)
        self._marks, self.revision = _joined(kept, delta), delta.revision
        self._ids -= removed
        self._ids |= added
        return Delta(
            delta.revision,
            delta.revision + 1,
            added=self.gone,
            removed=tuple(mark.id for mark in delta.added),
            places=tuple(places),
        )


def changed(marks: tuple[Annotation, ...], delta: Delta) -> tuple[Annotation, ...]:
    """The marks that a change leads to; raises BadRequest for places that cannot be."""
    return _joined(_parted(marks, frozenset(delta.removed))[0], delta)


def _parted(marks: tuple[Annotation, ...], ids: AbstractSet[str]) -> tuple[tuple[Annotation, ...], Sequence[int]]:
    """The marks without some, and the places that these have, ascending.

    Where they are the last ones, as those of an undo are, no other mark is looked at.
    """
    last = range(max(0, len(marks) - len(ids)), len(marks))
    if all(marks[place].id in ids for place in last):
        return marks[: last.start], last
    places = tuple(place for place, mark in enumerate(marks) if mark.id in ids)
    return tuple(mark for mark in marks if mark.id not in ids), places


def _joined(kept: tuple[Annotation, ...], delta: Delta) -> tuple[Annotation, ...]:
    """With those that a change adds; raises BadRequest for places that cannot be."""
    if not delta.places:
        return (*kept, *delta.added)
    if len(delta.places) != len(delta.added):
        raise BadRequest("A change needs a place for each mark that it adds, or none.")
    marks = list(kept)
    for count, (place, mark) in enumerate(zip(delta.places, delta.added)):
        if not 0 <= place <= len(marks) or (count and place <= delta.places[count - 1]):
            raise BadRequest(f"A mark cannot be put at place {place} of {len(marks)}.")
        marks.insert(place, mark)
    return tuple(marks)


def _unique(marks: Sequence[Annotation]) -> set[str]:
    """The marks' ids; raises BadRequest for one that is there twice."""
    seen: set[str] = set()
    for mark in marks:
        if mark.id in seen:
            raise _twice(mark.id)
        seen.add(mark.id)
    return seen


def _twice(mark_id: str) -> BadRequest:
    return BadRequest(f"There are two marks '{mark_id}'.")
