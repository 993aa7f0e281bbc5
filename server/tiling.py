"""How a raster's own pixels and a model's tiles lie on each other.

The *model grid* starts at the raster's origin and has `scale` pixels to a raster pixel, so that its pixels have the GSD
the model was trained at. Tiles lie on the model grid (see shared/tiles.py), results on the raster's. Raster pixel x is
*sampled* at the model coordinate X(x) = (x + ½)·scale − ½ between the model pixels ⌊X⌋ and ⌊X⌋ + 1; where scale is 1
both grids are one and X(x) is x. Nothing here depends on the window that somebody asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Optional

from terrafine.shared import tiles
from terrafine.shared.annotation import Annotation, bounds
from terrafine.shared.geo import Grid, Window, blocks, bounding, buffered, intersection, intersects
from terrafine.shared.spec import ModelSpec

SAME_SCALE = (0.8, 1.25)  # within this the raster is taken as it is: resampling would cost more than it gains
COARSEST_SCALE, FINEST_SCALE = 4.0, 1 / 16
PIECE_PX = 1024  # no patch is larger than this, whatever a tile covers


@dataclass(frozen=True)
class Tiling:
    """The model grid over one raster. `width`, `height` in raster pixels; `*_px` in model pixels."""

    width: int
    height: int
    scale: float
    tile_px: int
    overlap_px: int
    reach_px: float

    @property
    def raster(self) -> Window:
        return Window(0, 0, self.width, self.height)

    @property
    def model_window(self) -> Window:
        """The whole raster, in model pixels."""
        return Window(0, 0, math.ceil(self.width * self.scale), math.ceil(self.height * self.scale))

    @property
    def step_px(self) -> int:
        return self.tile_px - self.overlap_px


def choose_scale(grid: Grid, model_gsd_m: float) -> tuple[float, str]:
    """(model pixels per raster pixel, a warning for the analyst or "")."""
    if grid.gsd_m is None:
        return 1.0, "The size of the raster's pixels on the ground is unknown; the model takes them as they are."
    scale = grid.gsd_m / model_gsd_m
    if SAME_SCALE[0] <= scale <= SAME_SCALE[1]:
        return 1.0, ""
    sizes = f"The raster's pixel is {grid.gsd_m:.3g} m, the model was trained at {model_gsd_m:.3g} m"
    if scale > COARSEST_SCALE:
        return 1.0, f"{sizes}; expect little from it."
    if scale < FINEST_SCALE:
        return FINEST_SCALE, f"{sizes}; expect little from it."
    return scale, ""


def tiling_of(grid: Grid, spec: ModelSpec) -> tuple[Tiling, str]:
    """The tiling of a raster for a model, with `choose_scale`'s warning."""
    scale, warning = choose_scale(grid, spec.gsd_m)
    return Tiling(grid.width, grid.height, scale, spec.tile_px, spec.overlap_px, spec.encoding.radius_px), warning


def sampled(tiling: Tiling, window: Window) -> Window:
    """The model pixels between which the raster pixels of `window` are sampled."""
    if tiling.scale == 1.0 or window.is_empty:
        return window
    cols = _sampled_axis(window.col, window.col_end, tiling.scale, tiling.model_window.width)
    rows = _sampled_axis(window.row, window.row_end, tiling.scale, tiling.model_window.height)
    return Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0])


def tiles_of(tiling: Tiling, window: Window) -> list[Window]:
    """The tiles, in model pixels and row-major, that the map within `window` (raster pixels) is made from."""
    return tiles.plan(sampled(tiling, window), tiling.tile_px, tiling.overlap_px)


def influence(tiling: Tiling, tile: Window) -> Window:
    """The raster pixels whose result can depend on `tile`, clipped to the raster."""
    if tiling.scale == 1.0:
        return intersection(tile, tiling.raster)
    cols = [math.floor((tile.col - 0.5) / tiling.scale - 0.5), math.ceil((tile.col_end + 0.5) / tiling.scale - 0.5)]
    rows = [math.floor((tile.row - 0.5) / tiling.scale - 0.5), math.ceil((tile.row_end + 0.5) / tiling.scale - 0.5)]
    return intersection(Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0]), tiling.raster)


def touched(tiling: Tiling, mark: Annotation) -> list[Window]:
    """The tiles that see `mark`: those within its encoding's reach; none where no tile of the raster reaches it."""
    near = bounds(mark, tiling.reach_px / tiling.scale)
    cols = math.floor(near.col * tiling.scale), math.ceil(near.col_end * tiling.scale)
    rows = math.floor(near.row * tiling.scale), math.ceil(near.row_end * tiling.scale)
    window = Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0])
    window = intersection(window, buffered(tiling.model_window, tiling.tile_px))
    found = tiles.plan(window, tiling.tile_px, tiling.overlap_px)
    return [tile for tile in found if intersects(tile, tiling.model_window)]


def cell(tiling: Tiling, tile: Window) -> Window:
    """The raster pixels that are finished once `tile` is, if tiles come row-major: those it shares with none after it.

    The cells of all tiles cover the raster once. At most the tile and its neighbours left and above reach into a cell.
    """
    cols = _cell_axis(tile.col, tiling.scale, tiling.step_px, tiling.model_window.width, tiling.width)
    rows = _cell_axis(tile.row, tiling.scale, tiling.step_px, tiling.model_window.height, tiling.height)
    return Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0])


def pieces(tiling: Tiling, window: Window, panel_tiles: int, dirty: Optional[frozenset[Window]] = None) -> list[Window]:
    """Cut `window` (raster pixels) into patches, in an order in which few tiles have to be kept.

    panel_tiles  tiles are walked row by row in panels of this many columns
    dirty        only what these tiles influence; None for all
    """
    if dirty is not None:
        window = bounding(intersection(influence(tiling, tile), window) for tile in dirty)
    panel_px, first = tiling.step_px * panel_tiles, -tiling.overlap_px
    walk = sorted(tiles_of(tiling, window), key=lambda tile: ((tile.col - first) // panel_px, tile.row, tile.col))
    parts = (_dirty_part(tiling, tile, intersection(cell(tiling, tile), window), dirty) for tile in walk)
    return [piece for part in parts for piece in _cut(part)]


def _dirty_part(tiling: Tiling, tile: Window, part: Window, dirty: Optional[frozenset[Window]]) -> Window:
    """The rectangle of a cell's `part` that dirty tiles influence; only the tile and those left and above can."""
    if dirty is None:
        return part
    steps = (0, tiling.step_px)
    near = [replace(tile, col=tile.col - left, row=tile.row - up) for up in steps for left in steps]
    return bounding(intersection(influence(tiling, tile), part) for tile in near if tile in dirty)


def _cut(part: Window) -> list[Window]:
    if part.is_empty:
        return []
    return [part] if max(part.shape) <= PIECE_PX else blocks(part, PIECE_PX)


def _sampled_axis(low: int, high: int, scale: float, model_size: int) -> tuple[int, int]:
    first = math.floor((low + 0.5) * scale - 0.5)
    last = math.floor((high - 0.5) * scale - 0.5) + 1
    return min(max(first, 0), model_size - 1), min(max(last, 0), model_size - 1) + 1


def _cell_axis(start: int, scale: float, step: int, model_size: int, size: int) -> tuple[int, int]:
    low = _first_sampled(start, scale)
    high = size if start + step >= model_size else _first_sampled(start + step, scale)
    return min(max(low, 0), size), min(max(high, low, 0), size)


def _first_sampled(start: int, scale: float) -> int:
    """The first raster pixel with ⌊X⌋ + 1 ≥ start: from there on no tile that ends before `start` counts."""
    return start if scale == 1.0 else math.ceil((start - 0.5) / scale - 0.5)
