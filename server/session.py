"""One raster, one model, one analyst's marks: everything that refining a map needs to remember."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from terrafine.models.infer import Predictor, TileFeatures
from terrafine.server.caches import FEATURES_BYTES, LOGITS_BYTES, ByteLru
from terrafine.server.pixels import PixelSource
from terrafine.server.tiling import influence, tiling_of, touched
from terrafine.shared.annotation import Annotation, AnnotationLog, Delta
from terrafine.shared.errors import BadRequest
from terrafine.shared.geo import Window, bounding
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import ModelSpec

REVISIONS_KEPT = 1000  # whoever holds an older map gets all of it again


@dataclass
class Caches:
    """Per tile: features of the image, and logits (float16) by the marks that the tile sees. Shared by all sessions."""

    features: ByteLru[TileFeatures] = field(default_factory=lambda: ByteLru(FEATURES_BYTES))
    logits: ByteLru[NDArray[np.float16]] = field(default_factory=lambda: ByteLru(LOGITS_BYTES))

    def drop(self, owner: Hashable) -> None:
        self.features.drop(owner)
        self.logits.drop(owner)

    def clear(self) -> None:
        self.features.clear()
        self.logits.clear()


class Session:
    """The state of refining one raster; engine.py works on it."""

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
        self.predictor = predictor
        self.caches = caches if caches is not None else Caches()
        self.tiling, warning = tiling_of(info.grid, predictor.spec)
        self.warnings: tuple[str, ...] = (warning,) if warning else ()
        self.log = AnnotationLog()
        self._changes: dict[int, frozenset[Window]] = {0: frozenset()}  # revision → tiles that it changed
        self._touched: dict[Annotation, frozenset[Window]] = {}  # mark → tiles that see it, oldest mark first
        self._by_tile: Optional[dict[Window, tuple[Annotation, ...]]] = None

    @property
    def spec(self) -> ModelSpec:
        return self.predictor.spec

    def change(self, delta: Delta) -> Window:
        """Follow the client's delta; returns the raster window that it can change.

        Raises RevisionMismatch, and BadRequest where a mark's class is none of the model's; then nothing changes.
        """
        self._check_classes(delta.added)
        before = self.log.marks
        self.log.apply(delta)
        return self._changed(before, keep_history=True)

    def replace(self, marks: tuple[Annotation, ...], revision: int) -> Window:
        """Hold exactly `marks`; returns the raster window that differs from before. Raises BadRequest like `change`."""
        self._check_classes(marks)
        before, newer = self.log.marks, revision > self.log.revision
        self.log.replace(marks, revision)
        return self._changed(before, keep_history=newer)

    def changed_tiles(self, since: int) -> Optional[frozenset[Window]]:
        """The tiles whose marks differ between revision `since` and now; None if that revision is not remembered."""
        if since not in self._changes:
            return None
        later = (tiles for revision, tiles in self._changes.items() if revision > since)
        return frozenset().union(*later)

    def marks_of(self, tile: Window) -> tuple[Annotation, ...]:
        """The marks that `tile` sees, oldest first."""
        if self._by_tile is None:
            self._by_tile = _by_tile(self._touched)
        return self._by_tile.get(tile, ())

    def forget(self) -> None:
        """Drop everything that was computed, as when the pixels are others than before."""
        self.caches.drop(self.name)

    def close(self) -> None:
        """Release the pixels and everything cached."""
        self.source.close()
        self.forget()

    def _check_classes(self, marks: Iterable[Annotation]) -> None:
        last = len(self.spec.classes) - 1
        for mark in marks:
            if mark.class_id > last:
                raise BadRequest(f"The model has no class {mark.class_id}.", f"Its classes are 0 to {last}.")

    def _changed(self, before: tuple[Annotation, ...], keep_history: bool) -> Window:
        old, marks = self._touched, self.log.marks
        new = {mark: old[mark] if mark in old else touched(self.tiling, mark) for mark in marks}
        either = {**old, **new}
        tiles = frozenset(tile for mark in _differing(before, marks) for tile in either[mark])
        self._touched, self._by_tile = new, None
        self._remember(tiles, keep_history)
        return bounding(influence(self.tiling, tile) for tile in tiles)

    def _remember(self, tiles: frozenset[Window], keep_history: bool) -> None:
        if not keep_history:
            self._changes.clear()
        self._changes[self.log.revision] = tiles
        if len(self._changes) > REVISIONS_KEPT:
            del self._changes[min(self._changes)]


def _differing(before: tuple[Annotation, ...], after: tuple[Annotation, ...]) -> set[Annotation]:
    """The marks that came or went; all of them if the others changed their order, for later marks win."""
    old, new = set(before), set(after)
    same_order = [mark for mark in before if mark in new] == [mark for mark in after if mark in old]
    return old ^ new if same_order else old | new


def _by_tile(touched_by: Mapping[Annotation, frozenset[Window]]) -> dict[Window, tuple[Annotation, ...]]:
    found: dict[Window, list[Annotation]] = {}
    for mark, tiles in touched_by.items():
        for tile in tiles:
            found.setdefault(tile, []).append(mark)
    return {tile: tuple(seen) for tile, seen in found.items()}
