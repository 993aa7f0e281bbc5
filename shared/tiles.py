"""Tiles: the squares that a network sees, and how their results become one seamless map.

Tiles start at the raster's origin and then every `tile_px - overlap_px` pixels, until one holds the last pixel; where
there is more tile than raster, whoever reads it pads. A pixel's tiles and their weights depend on nothing but this
grid, so a map cannot depend on the window that was asked for. `overlap_px` is at most half of `tile_px`; then at most
two tiles a direction share a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from terrafine.shared.geo import Window, intersection

WeightKey = tuple[int, int, tuple[bool, bool], tuple[bool, bool]]


@dataclass(frozen=True)
class TileGrid:
    """The tiles over one raster of `width` × `height` pixels; tile (i, j) starts at (i·step_px, j·step_px)."""

    width: int
    height: int
    tile_px: int
    overlap_px: int

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"no tiles can lie on {self.width} x {self.height} pixels")
        if self.tile_px <= 0 or not 0 <= self.overlap_px <= self.tile_px // 2:
            raise ValueError(f"tiles of {self.tile_px} pixels cannot overlap by {self.overlap_px}; at most by half")

    @property
    def window(self) -> Window:
        """The whole raster."""
        return Window(0, 0, self.width, self.height)

    @property
    def step_px(self) -> int:
        return self.tile_px - self.overlap_px

    def plan(self, window: Window) -> list[Window]:
        """All tiles that share a pixel of the raster with `window`, row-major."""
        inside = intersection(window, self.window)
        if inside.is_empty:
            return []
        rows = self._starts(inside.row, inside.row_end, self.height)
        cols = self._starts(inside.col, inside.col_end, self.width)
        return [Window(col, row, self.tile_px, self.tile_px) for row in rows for col in cols]

    def weights(self, tile: Window) -> np.ndarray:
        """How much each pixel of `tile` counts: float32 (tile_px, tile_px) in (0, 1], read-only.

        Linear ramps where there is a neighbour; over any pixel of the raster the weights of its tiles sum to 1.
        """
        return weight_table(*self.weight_key(tile))

    def weight_key(self, tile: Window) -> WeightKey:
        """All that the weights of `tile` depend on, for `weight_table`."""
        across = tile.col > 0, tile.col_end < self.width
        down = tile.row > 0, tile.row_end < self.height
        return self.tile_px, self.overlap_px, across, down

    def _starts(self, low: int, high: int, size: int) -> range:
        """Where the tiles start, along an axis of `size` pixels, that share one with [low, high)."""
        last = max(0, -(-(size - self.tile_px) // self.step_px))
        first = min(max(0, (low - self.tile_px) // self.step_px + 1), last)
        return range(first * self.step_px, min((high - 1) // self.step_px, last) * self.step_px + 1, self.step_px)


@lru_cache(maxsize=16)
def weight_table(tile_px: int, overlap_px: int, across: tuple[bool, bool], down: tuple[bool, bool]) -> np.ndarray:
    """See TileGrid.weights. `across` and `down`: is there a neighbour before, and one after?"""
    table = np.outer(_profile(tile_px, overlap_px, *down), _profile(tile_px, overlap_px, *across)).astype(np.float32)
    table.flags.writeable = False
    return table


def _profile(tile_px: int, overlap_px: int, before: bool, after: bool) -> np.ndarray:
    profile = np.ones(tile_px)
    ramp = (np.arange(overlap_px) + 0.5) / max(1, overlap_px)
    if before:
        profile[:overlap_px] = ramp
    if after:
        profile[tile_px - overlap_px :] = ramp[::-1]
    return profile
