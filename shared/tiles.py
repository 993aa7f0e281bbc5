"""Tiles: the squares that a network sees, and how their results become one seamless map.

Tiles lie on one infinite grid: they are `tile_px` wide, start every `tile_px - overlap_px` pixels, and tile (0, 0)
starts `overlap_px` pixels above and left of the raster's origin: the latest start that needs no tiles before it. A
pixel's tiles and their weights depend on nothing but this grid, so a map cannot depend on the window that was asked
for. Tiles reach outside the raster at its edges; whoever reads them pads.

`overlap_px` is even and at most half of `tile_px`; then at most two tiles a direction share a pixel.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from terrafine.shared.geo import Window, intersection, slices


def plan(window: Window, tile_px: int, overlap_px: int) -> list[Window]:
    """All tiles that share a pixel with `window`, row-major."""
    _check(tile_px, overlap_px)
    if window.is_empty:
        return []
    rows = _starts(window.row, window.row_end, tile_px, overlap_px)
    cols = _starts(window.col, window.col_end, tile_px, overlap_px)
    return [Window(col, row, tile_px, tile_px) for row in rows for col in cols]


@lru_cache(maxsize=8)
def weights(tile_px: int, overlap_px: int) -> np.ndarray:
    """How much each pixel of a tile counts: float32 (tile_px, tile_px) in (0, 1], read-only.

    Linear ramps over the overlap; the weights of all tiles over any pixel sum to 1.
    """
    _check(tile_px, overlap_px)
    profile = np.ones(tile_px)
    ramp = (np.arange(overlap_px) + 0.5) / max(1, overlap_px)
    profile[:overlap_px] = ramp
    profile[tile_px - overlap_px :] = ramp[::-1]
    table = np.outer(profile, profile).astype(np.float32)
    table.flags.writeable = False
    return table


class Blender:
    """Adds up tiles within a window.

    Feed every tile of `plan(window, …)` once. In the order of the plan the result is the same bit for bit as for any
    other window that holds the pixel; in another order it is the same to rounding.
    """

    def __init__(self, window: Window, bands: int, overlap_px: int) -> None:
        self.window = window
        self.overlap_px = overlap_px
        self._sum = np.zeros((bands, *window.shape), np.float32)

    def feed(self, tile: Window, values: np.ndarray) -> None:
        """Add `values`, float (bands, tile_px, tile_px), where the tile lies; what is outside the window is ignored."""
        if values.shape != (len(self._sum), *tile.shape) or tile.width != tile.height:
            raise ValueError(f"values {values.shape} do not fit {tile} and {len(self._sum)} bands")
        common = intersection(tile, self.window)
        if common.is_empty:
            return
        source, target = slices(common, tile), slices(common, self.window)
        share = weights(tile.width, self.overlap_px)[source]
        self._sum[(slice(None), *target)] += values[(slice(None), *source)] * share

    @property
    def data(self) -> np.ndarray:
        """The weighted sum of what was fed so far: float32 (bands, rows, columns)."""
        return self._sum


def _starts(low: int, high: int, tile_px: int, overlap_px: int) -> range:
    """Where the tiles start, along one axis, that share a pixel with [low, high)."""
    step, origin = tile_px - overlap_px, -overlap_px
    first = (low - tile_px - origin) // step + 1
    return range(origin + first * step, high, step)


def _check(tile_px: int, overlap_px: int) -> None:
    if tile_px <= 0 or not 0 <= overlap_px <= tile_px // 2 or overlap_px % 2:
        raise ValueError(f"tiles of {tile_px} pixels cannot overlap by {overlap_px}; it must be even, at most half")
