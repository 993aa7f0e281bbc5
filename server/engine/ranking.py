"""Where to look next: patches of the raster, the most uncertain first."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Optional, Union

import numpy as np

from terrafine.models.cuda import download
from terrafine.server.engine.session import Session
from terrafine.server.engine.tile_runner import TileRunner
from terrafine.server.engine.uncertainty import Measure, covered
from terrafine.server.engine.work import Work
from terrafine.server.rasters import tiling
from terrafine.server.rasters.tiling import PIECE_PX
from terrafine.shared.errors import TooLarge
from terrafine.shared.geo import Window, blocks
from terrafine.shared.learning import RankedPatch, RankOptions
from terrafine.shared.messages import PatchesRanked, Progress

MOST_RANKED = 100_000
SCORE_BYTES = 1024  # that a score and its key take, about
NO_DATA = -1.0


def rank(
    session: Session,
    window: Window,
    options: RankOptions,
    work: Optional[Work] = None,
) -> Iterator[Union[Progress, PatchesRanked]]:
    """Rank the patches that meet `window` (raster pixels); those without any data are left out.

    Yields the progress (in patches), and at the end PatchesRanked. Ties come row by row. A patch's score is kept for as
    long as its tiles, their marks and the network are the same. Raises BadRequest for a method that the model does not
    have, TooLarge where there are more than MOST_RANKED patches.
    """
    work = work if work is not None else Work()
    scorer = _Scorer(session, options, work)
    patches = patches_of(session, window, options.size_px)
    scores: dict[Window, float] = {}
    for done, patch in enumerate(_walk(session, patches)):
        yield Progress(done, len(patches), "rank")
        scores[patch] = scorer.score(patch)
    yield Progress(len(patches), len(patches), "rank")
    chosen = _ordered([patch for patch in patches if scores[patch] != NO_DATA], scores, options)[: options.limit]
    yield PatchesRanked(session.log.revision, tuple(RankedPatch(patch, scores[patch]) for patch in chosen))


def patches_of(session: Session, window: Window, size_px: int) -> list[Window]:
    """The patches that meet `window`, row by row; smaller ones at the raster's right and lower edge."""
    area = covered(session, window, size_px)
    count = -(-area.width // size_px) * -(-area.height // size_px)
    if count > MOST_RANKED:
        raise TooLarge(f"{count} patches are too many to rank; {MOST_RANKED} are allowed.", "Choose larger ones.")
    return blocks(area, size_px)


def _walk(session: Session, patches: list[Window]) -> list[Window]:
    """In an order in which few tiles have to be kept."""
    return sorted(patches, key=lambda patch: (patch.col // session.panel_px, patch.row, patch.col))


def _ordered(patches: list[Window], scores: dict[Window, float], options: RankOptions) -> list[Window]:
    if options.order == "random":
        shuffled = np.random.default_rng(options.seed).permutation(len(patches))
        return [patches[index] for index in shuffled]
    return sorted(patches, key=lambda patch: -scores[patch])


class _Scorer:
    """A patch's mean uncertainty, from the cache if nothing that it depends on has changed."""

    def __init__(self, session: Session, options: RankOptions, work: Work) -> None:
        self._session = session
        self._is_plain = options.order != "uncertainty"
        self._runner = TileRunner(session, work)
        self._measure = Measure(self._runner, options.method)

    def score(self, patch: Window) -> float:
        """0 … 1, 0 in the orders that ask for none; NO_DATA where no pixel has data."""
        key = (self._session.name, patch, *self._state(patch))
        score = self._session.caches.scores.get(key)
        if score is None:
            self._runner.work.check()
            score = self._has_data(patch) if self._is_plain else self._mean(patch)
            self._session.caches.scores.put(key, score, SCORE_BYTES)
        return score

    def _state(self, patch: Window) -> tuple[Hashable, ...]:
        """All that the score depends on but the pixels."""
        if self._is_plain:
            return ()
        marks = tuple(self._runner.marks.of(tile) for tile in tiling.tiles_of(self._session.tiling, patch))
        return self._measure.method, self._session.network, self._session.legend.becomes, marks

    def _mean(self, patch: Window) -> float:
        total, count = 0.0, 0
        for part in blocks(patch, PIECE_PX):
            values, valid = self._measure.with_mask(part)
            total += float(download(values)[valid].sum(dtype=np.float64))
            count += int(valid.sum())
        return total / count if count else NO_DATA

    def _has_data(self, patch: Window) -> float:
        return 0.0 if any(self._runner.valid(part).any() for part in blocks(patch, PIECE_PX)) else NO_DATA
