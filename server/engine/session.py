"""One raster, one network, one analyst's marks: everything that refining a map needs to remember."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Optional

import numpy as np

from terrafine.models.infer import Predictor, TileFeatures
from terrafine.models.lasting import Lasting
from terrafine.models.objects.finder import Seen
from terrafine.server.engine.caches import (
    FEATURES_BYTES,
    LOGITS_BYTES,
    OBJECTS_BYTES,
    SCORES_BYTES,
    UNCERTAINTY_BYTES,
    ByteLru,
)
from terrafine.server.engine.legend import REMOVED, Legend
from terrafine.server.engine.tile_marks import TileMarks, Tiles
from terrafine.server.engine.weights import WeightsKept
from terrafine.server.rasters.pixels import PixelSource
from terrafine.server.rasters.tiling import influence, tiling_of, touched
from terrafine.shared.annotation import Annotation, AnnotationLog, Delta, changed
from terrafine.shared.errors import BadRequest, NotFound
from terrafine.shared.geo import Window, bounding
from terrafine.shared.raster import RasterInfo
from terrafine.shared.side import NOWHERE
from terrafine.shared.spec import ModelSpec

MARKS_KEPT = 200_000  # that count no more; a client may replace all it has as often as it likes
REVISIONS_KEPT = 1000  # whoever holds an older map gets all of it again
TILE_MARKS_KEPT = 8  # of the last revisions; what their tiles see alike they share
NO_MARKS = Delta(0, 0)


@dataclass
class Caches:
    """What was computed, shared in memory by all sessions: features of the image by tile and encoder; logits and
    uncertainty (float16) by tile, network and the marks that the tile sees; patches' mean uncertainty by all of that;
    what was seen of objects by box and first click.
    """

    features: ByteLru[TileFeatures] = field(default_factory=lambda: ByteLru(FEATURES_BYTES))
    logits: ByteLru[Lasting] = field(default_factory=lambda: ByteLru(LOGITS_BYTES))
    uncertainty: ByteLru[Lasting] = field(default_factory=lambda: ByteLru(UNCERTAINTY_BYTES))
    scores: ByteLru[float] = field(default_factory=lambda: ByteLru(SCORES_BYTES))
    objects: ByteLru[Seen] = field(default_factory=lambda: ByteLru(OBJECTS_BYTES))

    def by_name(self) -> dict[str, ByteLru[Any]]:
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def drop(self, owner: Hashable) -> None:
        for cache in self.by_name().values():
            cache.drop(owner)

    def clear(self) -> None:
        for cache in self.by_name().values():
            cache.clear()


@dataclass(frozen=True)
class _Change:
    """What a revision changed: tiles, None for all, and marks: the way back, or, with it, all that were before."""

    tiles: Optional[Tiles]
    back: Delta
    before: Optional[tuple[Annotation, ...]] = None


class Session:
    """The state of refining one raster; engine.py reads it, learning.py changes its weights and its legend."""

    def __init__(
        self,
        info: RasterInfo,
        source: PixelSource,
        predictor: Predictor,
        caches: Optional[Caches] = None,
        name: Hashable = "",
    ) -> None:
        """`name` tells this session's values from others' in shared `caches`; `source` is closed with the session."""
        self.name = name
        self.info = info
        self.source = source
        self.weights = WeightsKept(predictor)
        self.caches = caches if caches is not None else Caches()
        self.tiling, warning = tiling_of(info.grid, predictor.spec)
        self.warnings: tuple[str, ...] = (warning,) if warning else ()
        self.log = AnnotationLog()
        self.side = NOWHERE
        self._legend = Legend.of(predictor.spec.classes)
        self._history: dict[int, _Change] = {0: _Change(frozenset(), NO_MARKS)}
        self._touched: dict[Annotation, Tiles] = {}  # tiles that see a mark
        self._tile_marks: Optional[TileMarks] = None
        self._tile_marks_before: dict[int, TileMarks] = {}  # of earlier revisions, the oldest first

    @property
    def predictor(self) -> Predictor:
        return self.weights.current.predictor

    @property
    def spec(self) -> ModelSpec:
        return self.predictor.spec

    @property
    def network(self) -> Hashable:
        """Tells the networks apart that this session had, and what they were told beside marks: logits are good for
        one of them.
        """
        return self.weights.current.name, len(self.spec.classes), self.side.digest

    @property
    def panel_tiles(self) -> int:
        """How many tiles wide a part of the raster may be for two rows of them to stay in the cache of logits."""
        tile_bytes = len(self.spec.classes) * self.spec.tile_px**2 * np.dtype(np.float16).itemsize
        return max(1, self.caches.logits.budget // (2 * tile_bytes) - 2)

    @property
    def panel_px(self) -> int:
        """The same in pixels of the raster."""
        return max(1, int(self.panel_tiles * self.tiling.grid.step_px / self.tiling.scale))

    @property
    def legend(self) -> Legend:
        return self._legend

    @legend.setter
    def legend(self, legend: Legend) -> None:
        self._legend = legend
        self._forget_tile_marks()

    @property
    def tile_marks(self) -> TileMarks:
        """The marks that count now, as what their classes became."""
        if self._tile_marks is None:
            self._tile_marks = self._as_tiles_see(self.log.marks)
        return self._tile_marks

    def tile_marks_at(self, revision: int) -> TileMarks:
        """The marks of an earlier revision, by the legend of now; raises NotFound for one that is not remembered."""
        if revision not in self._history:
            raise NotFound(f"The server does not remember revision {revision} of the marks.")
        if revision in self._tile_marks_before:
            return self._tile_marks_before[revision]
        later = [change for number, change in reversed(self._history.items()) if number > revision]
        found: Optional[TileMarks] = self.tile_marks
        for change in later:
            found = None if found is None or change.before is not None else self._followed(found, change.back)
        return found if found is not None else self._as_tiles_see(_back(self.log.marks, later))

    def change(self, delta: Delta) -> Window:
        """Follow the client's delta; returns the raster window that it can change.

        Raises RevisionMismatch, and BadRequest where a mark's class is none of the legend's; then nothing changes.
        """
        self._check_classes(delta.added)
        back = self.log.apply(delta)
        self._follow(delta)
        return self._marks_changed((*back.added, *delta.added), back)

    def replace(self, marks: tuple[Annotation, ...], revision: int) -> Window:
        """Hold exactly `marks`; returns the raster window that differs from before. Raises BadRequest like `change`."""
        self._check_classes(marks)
        before, newer = self.log.marks, revision > self.log.revision
        self.log.replace(marks, revision)
        if not newer:
            self._history.clear()
        self._forget_tile_marks()
        return self._marks_changed(_differing(before, marks), NO_MARKS, before)

    def resume(self, marks: tuple[Annotation, ...], revision: int) -> None:
        """Hold exactly `marks`, as a journal has it. What earlier revisions changed is not remembered."""
        self.replace(marks, revision)
        self._history = {revision: self._history[revision]}

    def move_on(self, base: int, revision: int, everywhere: bool) -> Window:
        """A change that is none of marks, of the whole map or of nothing in it; returns the raster window that differs.

        Raises RevisionMismatch like `change`.
        """
        self.log.apply(Delta(base, revision))
        self._remember(_Change(None if everywhere else frozenset(), NO_MARKS))
        return self.tiling.raster if everywhere else Window(0, 0, 0, 0)

    def changed_tiles(self, since: int) -> Optional[Tiles]:
        """The tiles that differ between revision `since` and now; None for all, or if that is not remembered."""
        if since not in self._history:
            return None
        tiles: Tiles = frozenset()
        for revision, change in self._history.items():
            if revision > since:
                if change.tiles is None:
                    return None
                tiles |= change.tiles
        return tiles

    def read_from(self, source: PixelSource) -> None:
        """Take the pixels from there from now on."""
        self.source = source
        self.forget()

    def forget(self) -> None:
        """Drop everything that was computed, as when the pixels are others than before."""
        self.caches.drop(self.name)

    def close(self) -> None:
        """Release the pixels and everything cached."""
        self.source.close()
        self.forget()

    def _check_classes(self, marks: Iterable[Annotation]) -> None:
        last = len(self.legend.classes) - 1
        for mark in marks:
            if mark.class_id > last:
                raise BadRequest(f"The legend has no class {mark.class_id}.", f"Its classes are 0 to {last}.")

    def _as_tiles_see(self, marks: Iterable[Annotation]) -> TileMarks:
        pairs = ((self.legend.counted(mark), mark) for mark in marks)
        return TileMarks({counted: self._tiles_of(mark) for counted, mark in pairs if counted is not None})

    def _follow(self, delta: Delta) -> None:
        before, self._tile_marks = self._tile_marks, None
        if before is not None:
            self._tile_marks = self._followed(before, delta)
            self._tile_marks_before[delta.base] = before
        if len(self._tile_marks_before) > TILE_MARKS_KEPT:
            del self._tile_marks_before[min(self._tile_marks_before)]

    def _forget_tile_marks(self) -> None:
        self._tile_marks = None
        self._tile_marks_before.clear()

    def _followed(self, seen: TileMarks, delta: Delta) -> Optional[TileMarks]:
        """What tiles see after a change of the log's marks; None where places are of marks that do not all count."""
        if delta.places and REMOVED in self.legend.becomes:
            return None
        pairs = ((self.legend.counted(mark), mark) for mark in delta.added)
        touched = {counted: self._tiles_of(mark) for counted, mark in pairs if counted is not None}
        return seen.changed(replace(delta, added=tuple(touched)), touched)

    def _tiles_of(self, mark: Annotation) -> Tiles:
        if mark not in self._touched:
            self._touched[mark] = touched(self.tiling, mark)
        return self._touched[mark]

    def _marks_changed(
        self, marks: Iterable[Annotation], back: Delta, before: Optional[tuple[Annotation, ...]] = None
    ) -> Window:
        tiles = frozenset[Window]().union(*map(self._tiles_of, marks))
        self._remember(_Change(tiles, back, before))
        return bounding(influence(self.tiling, tile) for tile in tiles)

    def _remember(self, change: _Change) -> None:
        self._history[self.log.revision] = change
        while len(self._history) > REVISIONS_KEPT or self._marks_remembered() > MARKS_KEPT:
            del self._history[min(self._history)]
        if len(self._touched) > MARKS_KEPT + len(self.log.marks):
            self._touched.clear()

    def _marks_remembered(self) -> int:
        """Of the earlier revisions that a change holds all marks of."""
        held = (change.before for change in self._history.values() if change.before is not None)
        return sum(map(len, held)) if len(self._history) > 1 else 0


def _back(marks: tuple[Annotation, ...], later: Iterable[_Change]) -> tuple[Annotation, ...]:
    """The marks before changes, the newest of which comes first."""
    for change in later:
        marks = change.before if change.before is not None else changed(marks, change.back)
    return marks


def _differing(before: tuple[Annotation, ...], after: tuple[Annotation, ...]) -> set[Annotation]:
    """The marks that came or went; all of them if the others changed their order, for later marks win."""
    old, new = set(before), set(after)
    same_order = [mark for mark in before if mark in new] == [mark for mark in after if mark in old]
    return old ^ new if same_order else old | new
