"""How a raster's own pixels and a model's tiles lie on each other.

The *model grid* starts at the raster's origin and has `scale` pixels to a raster pixel, so that its pixels have the GSD
the model was trained at. Tiles lie on the model grid (see shared/tiles.py), results on the raster's. Raster pixel x is
*sampled* at the model coordinate X(x) = (x + ½)·scale − ½ between the model pixels ⌊X⌋ and ⌊X⌋ + 1; where scale is 1
both grids are one and X(x) is x. Nothing here depends on the window that somebody asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Optional

from terrafine.server.rasters.lengths import spoken
from terrafine.shared.annotation import Annotation, bounds
from terrafine.shared.geo import Grid, Window, blocks, bounding, buffered, intersection
from terrafine.shared.spec import ModelSpec
from terrafine.shared.tiles import TileGrid

SAME_SCALE = (0.8, 1.25)  # within this the raster is taken as it is: resampling would cost more than it gains
COARSEST_SCALE, FINEST_SCALE = 4.0, 1 / 16
PIECE_PX = 1024  # no patch is larger than this, whatever a tile covers
SLOPE_PARTS = 4  # a sloping stroke is cut until a part climbs no more than this fraction of a tile


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

    @cached_property
    def grid(self) -> TileGrid:
        """The tiles, in model pixels."""
        width, height = math.ceil(self.width * self.scale), math.ceil(self.height * self.scale)
        return TileGrid(width, height, self.tile_px, self.overlap_px)

    @property
    def model_window(self) -> Window:
        """The whole raster, in model pixels."""
        return self.grid.window


def choose_scale(grid: Grid, model_gsd_m: float) -> tuple[float, str]:
    """(model pixels per raster pixel, a warning for the analyst or "")."""
    if model_gsd_m == 0:
        return 1.0, ""
    if grid.gsd_m is None:
        return 1.0, "The size of the raster's pixels on the ground is unknown; the model takes them as they are."
    scale = grid.gsd_m / model_gsd_m
    if SAME_SCALE[0] <= scale <= SAME_SCALE[1]:
        return 1.0, ""
    sizes = f"The raster's pixel is {spoken(grid.gsd_m)}, the model was trained at {spoken(model_gsd_m)}"
    if scale > COARSEST_SCALE:
        return 1.0, f"{sizes}; expect little from it."
    if scale < FINEST_SCALE:
        return FINEST_SCALE, f"{sizes}; expect little from it."
    return scale, ""


def tiling_of(grid: Grid, spec: ModelSpec) -> tuple[Tiling, str]:
    """The tiling of a raster for a model, with `choose_scale`'s warning."""
    scale, warning = choose_scale(grid, spec.gsd_m)
    return Tiling(grid.width, grid.height, scale, spec.tile_px, spec.overlap_px, spec.encoding.radius_px), warning


def coarser(tiling: Tiling, factor: float) -> Tiling:
    """The same raster on a grid whose pixels are so many model pixels wide, less than one for a finer grid."""
    return replace(tiling, scale=tiling.scale / factor)


def sampled(tiling: Tiling, window: Window) -> Window:
    """The model pixels between which the raster pixels of `window` are sampled."""
    if tiling.scale == 1.0 or window.is_empty:
        return window
    cols = _sampled_axis(window.col, window.col_end, tiling.scale, tiling.model_window.width)
    rows = _sampled_axis(window.row, window.row_end, tiling.scale, tiling.model_window.height)
    return Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0])


def tiles_of(tiling: Tiling, window: Window) -> list[Window]:
    """The tiles, in model pixels and row-major, that the map within `window` (raster pixels) is made from."""
    return tiling.grid.plan(sampled(tiling, window))


def influence(tiling: Tiling, tile: Window) -> Window:
    """The raster pixels whose result can depend on `tile`, clipped to the raster."""
    if tiling.scale == 1.0:
        return intersection(tile, tiling.raster)
    cols = [math.floor((tile.col - 0.5) / tiling.scale - 0.5), math.ceil((tile.col_end + 0.5) / tiling.scale - 0.5)]
    rows = [math.floor((tile.row - 0.5) / tiling.scale - 0.5), math.ceil((tile.row_end + 0.5) / tiling.scale - 0.5)]
    return intersection(Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0]), tiling.raster)


def touched(tiling: Tiling, mark: Annotation) -> frozenset[Window]:
    """The tiles that see `mark`: those with a pixel of the raster within its encoding's reach."""
    if mark.kind != "stroke":
        return frozenset(tiling.grid.plan(_reached(tiling, mark)))
    ends = mark.vertices[1:] or mark.vertices
    segments = (replace(mark, vertices=pair) for pair in zip(mark.vertices, ends))
    return frozenset(
        tile for line in segments for part in _along(tiling, line) for tile in tiling.grid.plan(_reached(tiling, part))
    )


def cell(tiling: Tiling, tile: Window) -> Window:
    """The raster pixels that are finished once `tile` is, if tiles come row-major: those it shares with none after it.

    The cells of all tiles cover the raster once. At most the tile and its neighbours left and above reach into a cell.
    """
    cols = _cell_axis(tile.col, tile.col_end >= tiling.grid.width, tiling, tiling.width)
    rows = _cell_axis(tile.row, tile.row_end >= tiling.grid.height, tiling, tiling.height)
    return Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0])


def homes(tiling: Tiling, window: Window) -> Iterator[tuple[Window, Window]]:
    """Cut `window` (raster pixels) into what is at home in each tile: the pixels that begin in no tile after it.

    A tile sees every mark that covers a pixel at home there.
    """
    for tile in tiling.grid.plan(buffered(_model_pixels(tiling, window), 1)):  # 1: a scale's products are rounded
        cols = _home_axis(tile.col, tile.col_end >= tiling.grid.width, tiling, tiling.width)
        rows = _home_axis(tile.row, tile.row_end >= tiling.grid.height, tiling, tiling.height)
        part = intersection(Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0]), window)
        if not part.is_empty:
            yield tile, part


def pieces(tiling: Tiling, window: Window, panel_tiles: int, dirty: Optional[frozenset[Window]] = None) -> list[Window]:
    """Cut `window` (raster pixels) into patches, in an order in which few tiles have to be kept.

    panel_tiles  tiles are walked row by row in panels of this many columns
    dirty        only what these tiles influence; None for all
    """
    panel_px = tiling.grid.step_px * panel_tiles
    found = tiles_of(tiling, window) if dirty is None else _around(tiling, window, dirty)
    walk = sorted(found, key=lambda tile: (tile.col // panel_px, tile.row, tile.col))
    parts = (_dirty_part(tiling, tile, intersection(cell(tiling, tile), window), dirty) for tile in walk)
    return [piece for part in parts for piece in _cut(part)]


def _reached(tiling: Tiling, mark: Annotation) -> Window:
    """The model pixels around `mark`, within its encoding's reach."""
    return _model_pixels(tiling, bounds(mark, tiling.reach_px / tiling.scale))


def _model_pixels(tiling: Tiling, window: Window) -> Window:
    """The window of model pixels that a window of raster pixels lies on."""
    col, row = math.floor(window.col * tiling.scale), math.floor(window.row * tiling.scale)
    col_end, row_end = math.ceil(window.col_end * tiling.scale), math.ceil(window.row_end * tiling.scale)
    return Window(col, row, col_end - col, row_end - row)


def _along(tiling: Tiling, line: Annotation) -> Iterator[Annotation]:
    """Cut a stroke of one segment until little of the box around a part is far from it; parts outside are left out."""
    (x0, y0), (x1, y1) = line.vertices[0], line.vertices[-1]
    slope_px = min(abs(x1 - x0), abs(y1 - y0)) * tiling.scale
    if slope_px <= max(tiling.tile_px / SLOPE_PARTS, line.width_px * tiling.scale):
        yield line
    elif not intersection(_reached(tiling, line), tiling.model_window).is_empty:
        middle = (x0 + x1) / 2, (y0 + y1) / 2
        yield from _along(tiling, replace(line, vertices=((x0, y0), middle)))
        yield from _along(tiling, replace(line, vertices=(middle, (x1, y1))))


def _around(tiling: Tiling, window: Window, dirty: frozenset[Window]) -> set[Window]:
    """The tiles in whose cells dirty tiles can influence a pixel of `window`."""
    seen = [tile for tile in dirty if not intersection(influence(tiling, tile), window).is_empty]
    return {near for tile in seen for near in tiling.grid.plan(buffered(tile, 1))}


def _dirty_part(tiling: Tiling, tile: Window, part: Window, dirty: Optional[frozenset[Window]]) -> Window:
    """The rectangle of a cell's `part` that dirty tiles influence; only the tile and those left and above can."""
    if dirty is None:
        return part
    steps = (0, tiling.grid.step_px)
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


def _cell_axis(start: int, is_last: bool, tiling: Tiling, size: int) -> tuple[int, int]:
    low = _first_sampled(start, tiling.scale)
    high = size if is_last else _first_sampled(start + tiling.grid.step_px, tiling.scale)
    return min(max(low, 0), size), min(max(high, low, 0), size)


def _home_axis(start: int, is_last: bool, tiling: Tiling, size: int) -> tuple[int, int]:
    low, high = (math.ceil(edge / tiling.scale) for edge in (start, start + tiling.grid.step_px))
    return min(low, size), size if is_last else min(high, size)


def _first_sampled(start: int, scale: float) -> int:
    """The first raster pixel with ⌊X⌋ + 1 ≥ start: from there on no tile that ends before `start` counts."""
    return start if scale == 1.0 else math.ceil((start - 0.5) / scale - 0.5)
