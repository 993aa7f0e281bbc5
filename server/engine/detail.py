"""Maps of more detail, from coarse to fine: MagNet's progressive inference (Huynh et al. 2021) over a tiled raster.

A stack of grids lies on the raster, the model's own and coarser ones, each with its tiles. From the coarsest on, the
map so far is brought to the next grid, the network looks at that grid's tiles, and the refinement module says from both
what changes. No more is in memory than the tiles around the one at work. "fine" does so everywhere; "fast" looks again
only at the tiles of which the map so far is least sure, the same share of every square of GROUP × GROUP tiles;
everywhere else its map is the map so far, and costs no more than that.

Marks have the last word. All of this is done without them, so that a mark changes no tile but those that see it; they
then add to the refined logits what they add to those of the plain map. A refreshed map is the map from scratch, and a
click costs what it costs on the plain map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from terrafine.models.certainty.uncertainty import margin
from terrafine.models.cuda import download, upload
from terrafine.models.detail.selection import best, merged
from terrafine.models.precision import to_halves
from terrafine.server.engine.session import Session
from terrafine.server.engine.tile_runner import EMPTY, UNMARKED, TileRunner, keep, kept
from terrafine.server.engine.work import Work
from terrafine.server.rasters.tiling import Tiling, coarser, influence, sampled, tiles_of
from terrafine.shared.errors import BadRequest
from terrafine.shared.geo import Window, bounding, intersection, slices
from terrafine.shared.spec import DETAILS, FAST, PLAIN, Detail

GROUP = 4
WHOLE = 1 - 1e-5  # tiles' weights add up to 1 but for rounding
PANEL_SHARE = 8  # of the tiles of a plain panel: each has several finer ones, with plain logits and refined ones
PROBE = 4  # doubt is looked for at every fourth pixel, either way: a tile has thousands of them
SCORE_BYTES = 256  # that a tile's doubt and its key take, about


def runner_of(session: Session, work: Work, detail: str) -> TileRunner:
    """What makes the session's map in that `detail`; raises BadRequest for one that its model does not offer."""
    if detail == PLAIN:
        return TileRunner(session, work)
    if detail not in DETAILS:
        raise BadRequest(f"There is no detail '{detail}'.", f"There are: {', '.join(DETAILS)}.")
    how = session.spec.detail
    if how is None:
        hint = "Use 'plain'; 'terrafine train --refiner' trains one. New classes have none."
        raise BadRequest(f"'{session.spec.name}' has no refinement module for maps of more detail.", hint)
    return DetailRunner(session, work, how if detail == FAST else replace(how, patches=1.0))


class DetailRunner(TileRunner):
    """The session's map, refined."""

    def __init__(self, session: Session, work: Work, how: Detail) -> None:
        super().__init__(session, work)
        self._plain = TileRunner(session, work, UNMARKED)
        self._refined = TileRunner(session, work, UNMARKED, coarser(session.tiling, how.scales[0]))
        for scale, finer in zip(how.scales, how.scales[1:]):
            self._refined = Refined(self._refined, scale, finer, how)

    @property
    def panel_tiles(self) -> int:
        return max(GROUP, self.session.panel_tiles // PANEL_SHARE)

    def needed(self, tiles: Sequence[Window]) -> Window:
        part = bounding(influence(self.lattice, tile) for tile in tiles)
        finest = tiles_of(self._refined.lattice, part)
        return bounding([super().needed(tiles), self._refined.needed(finest)])

    def blended(self, part: Window) -> Tensor:
        refined = self._refined.blended(part)
        if any(self.marks.of(tile) for tile in tiles_of(self.lattice, part)):
            refined += super().blended(part) - self._plain.blended(part)
        return refined


class Refined(TileRunner):
    """The map of one grid, made from that of a coarser one."""

    def __init__(self, so_far: TileRunner, scale: float, finer: float, how: Detail) -> None:
        """`so_far` has pixels of `scale` model pixels, this map of `finer`."""
        session = so_far.session
        super().__init__(session, so_far.work, UNMARKED, coarser(session.tiling, finer))
        self._so_far, self._how = so_far, how
        grid = self.lattice.grid
        self._between = Tiling(grid.width, grid.height, finer / scale, grid.tile_px, grid.overlap_px, 0.0)

    def needed(self, tiles: Sequence[Window]) -> Window:
        around = [other for tile in tiles for other in self._rivals(tile)]
        before = self._so_far.lattice.grid.plan(sampled(self._between, bounding(around)))
        return bounding([super().needed(around), self._so_far.needed(before)])

    def blended(self, part: Window) -> Tensor:
        """The tiles that are looked at; where there are none, the map so far, which their edges fade into."""
        tiles = tiles_of(self.lattice, part)
        looked_at = {tile: self.tile_logits(tile) for tile in tiles if self._is_doubtful(tile)}
        if not looked_at:
            return self._so_far.blended(part)
        one = torch.ones(1, *tiles[0].shape, device=self.session.predictor.device)
        refined = self.blend(part, lambda tile: looked_at.get(tile, EMPTY), len(self.session.spec.classes))
        seen = {tile: one for tile, logits in looked_at.items() if len(logits)}
        share = self.blend(part, lambda tile: seen.get(tile, EMPTY), 1)
        rest = torch.where(share < WHOLE, 1 - share, 0.0)
        if not rest.any():
            return refined
        return refined + rest * self._so_far.blended(part)

    def tile_logits(self, tile: Window) -> Tensor:
        """The map so far, and in its most doubtful pixels what the refinement module says."""
        session, cache = self.session, self.session.caches.logits
        key = (session.name, self.lattice.scale, session.network, tile, self._how)
        logits = kept(cache, key)
        if logits is None:
            logits = self._looked_at(tile) if self._is_doubtful(tile) else to_halves(self._before(tile))
            keep(cache, key, logits)
        return logits

    def _looked_at(self, tile: Window) -> Tensor:
        plain = super().tile_logits(tile)
        if not len(plain):
            return plain
        before, on_raster = download(self._before(tile)).copy(), (slice(None), *self._on_raster(tile))
        self.work.check()
        with self.work.stage("refine"):
            refined = self.session.predictor.refined(before, download(plain.float()))
            temperature = self.session.spec.temperature
            before[on_raster] = merged(before[on_raster], refined[on_raster], self._how.pixels, temperature)
            return to_halves(upload(before, self.session.predictor.device))

    def _before(self, tile: Window) -> Tensor:
        """The logits of the map so far at the tile's pixels."""
        return self.blend(tile, self._so_far.tile_logits, len(self.session.spec.classes), self._between)

    def _is_doubtful(self, tile: Window) -> bool:
        rivals = self._rivals(tile)
        if len(rivals) == 1:
            return True
        doubts = np.array([self._doubt(other) for other in rivals])
        return bool(best(doubts, self._how.patches)[rivals.index(tile)])

    def _rivals(self, tile: Window) -> list[Window]:
        """The tiles, row-major, of which only a share is looked at: those of the square that `tile` is in."""
        if self._how.patches >= 1.0:
            return [tile]
        side = GROUP * self.lattice.grid.step_px
        square = Window(tile.col // side * side, tile.row // side * side, side, side)
        found = self.lattice.grid.plan(square)
        return [other for other in found if other.col >= square.col and other.row >= square.row]

    def _doubt(self, tile: Window) -> float:
        """How unsure the map so far is of the tile's pixels on the raster, on average; those without data are not."""
        session = self.session
        key = (session.name, self.lattice.scale, session.network, tile, self._how, "doubt")
        doubt = session.caches.scores.get(key)
        if doubt is None:
            self.work.check()
            valid = self.valid(influence(self.lattice, tile))
            doubt = self._unsure(tile) * float(valid.mean())
            session.caches.scores.put(key, doubt, SCORE_BYTES)
        return doubt

    def _unsure(self, tile: Window) -> float:
        """The mean margin of the map so far's own tiles where this tile lies on the raster, at every PROBE-th pixel."""
        part = sampled(self._between, intersection(tile, self.lattice.grid.window))
        margins = []
        for other in self._so_far.lattice.grid.plan(part):
            logits = self._so_far.tile_logits(other)
            if len(logits):
                rows, cols = slices(intersection(other, part), other)
                probed = logits[:, rows, cols][:, ::PROBE, ::PROBE].float()
                margins.append(margin(probed, self.session.spec.temperature).ravel())
        return float(torch.cat(margins).mean()) if margins else 0.0

    def _on_raster(self, tile: Window) -> tuple[slice, slice]:
        """The tile's pixels that are the raster's."""
        return slices(intersection(tile, self.lattice.grid.window), tile)
