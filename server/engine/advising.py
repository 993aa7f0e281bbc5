"""More marks, or learning? The map with what was marked lately beside the map without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional, Union

import numpy as np

from terrafine.models.cuda import download
from terrafine.models.encoding.encode import marked_pixels
from terrafine.models.learning import advice
from terrafine.server.engine.engine import Classifier
from terrafine.server.engine.session import Session
from terrafine.server.engine.tile_marks import TileMarks
from terrafine.server.engine.tile_runner import TileRunner
from terrafine.server.engine.uncertainty import Measure
from terrafine.server.engine.work import Work
from terrafine.server.rasters.tiling import PIECE_PX, influence
from terrafine.shared.annotation import Annotation, bounds
from terrafine.shared.geo import Window, blocks, bounding, buffered, intersection, slices
from terrafine.shared.messages import Advice, Progress

REACH_PX = 1024  # raster pixels: no mistake is judged farther than that from the newest mark
METHOD = "entropy"


def advise(session: Session, since: int, work: Optional[Work] = None) -> Iterator[Union[Progress, Advice]]:
    """What the marks that were placed since revision `since` call for; yields the progress and, at the end, Advice.

    Both maps are those of the network of now. Raises NotFound for a revision that is not remembered, Cancelled.
    """
    work = work if work is not None else Work()
    before, area = session.tile_marks_at(since), area_of(session, since)
    if area.is_empty:
        yield Advice(advice.MARK, "Nothing was marked since then.", 0, 1.0)
        return
    pair = _Pair(area)
    parts = blocks(area, PIECE_PX)
    for done, part in enumerate(parts):
        yield Progress(done, len(parts), "advise")
        pair.fill(part, Classifier(TileRunner(session, work, before)), Classifier(TileRunner(session, work)))
    yield Progress(len(parts), len(parts), "advise")
    with work.stage("advise"):
        marked = marked_pixels(_new(before, session.tile_marks), area)
        found = advice.advise(pair.before, pair.after, pair.uncertainty, marked, pair.valid, session.tiling.scale)
    yield Advice(found.action, found.reason, found.changed_px, found.certainty)


def area_of(session: Session, since: int) -> Window:
    """The raster pixels to look at: those that the marks since then can have changed, around the newest of them."""
    before, now = session.tile_marks_at(since), session.tile_marks
    area = bounding(influence(session.tiling, tile) for tile in _changed_tiles(before, now))
    new = _new(before, now)
    return intersection(area, buffered(bounds(new[-1]), REACH_PX)) if new else area


class _Pair:
    """Two maps of one area, piece by piece: without the new marks and with them."""

    def __init__(self, area: Window) -> None:
        self._area = area
        self.before = np.zeros(area.shape, np.uint8)
        self.after = np.zeros(area.shape, np.uint8)
        self.uncertainty = np.zeros(area.shape, np.float32)
        self.valid = np.zeros(area.shape, bool)

    def fill(self, part: Window, before: Classifier, after: Classifier) -> None:
        where, valid = slices(part, self._area), after.runner.valid(part)
        if not valid.any():
            return
        logits = after.runner.logits(part)
        self.valid[where] = valid
        self.before[where] = before.classes(part, before.runner.logits(part))
        self.after[where] = after.classes(part, logits)
        self.uncertainty[where] = download(Measure(after.runner, METHOD).of(part, logits))


def _changed_tiles(before: TileMarks, now: TileMarks) -> set[Window]:
    """Those that see other marks."""
    pairs = ((tile, before.of(tile), now.of(tile)) for tile in {*before.tiles, *now.tiles})
    return {tile for tile, old, new in pairs if old is not new and old != new}


def _new(before: TileMarks, now: TileMarks) -> list[Annotation]:
    """The marks that tiles did not see before, oldest first; tiles that see what they saw are not looked through."""
    tiles = _changed_tiles(before, now)
    known = {mark for tile in tiles for mark in before.of(tile)}
    new = {mark.id for tile in tiles for mark in now.of(tile) if mark not in known}
    return [mark for mark in now.marks if mark.id in new]
