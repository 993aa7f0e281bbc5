"""Tiles become one seamless map: the sum of their values, each pixel of a tile by its weight (shared/tiles.py)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from terrafine.shared.geo import Window, intersection, slices
from terrafine.shared.tiles import TileGrid

Floats = NDArray[np.float32]


class Blender:
    """Adds up tiles within a window.

    Feed every tile of `grid.plan(window)` once. In the order of the plan the result is the same bit for bit as for any
    other window that holds the pixel; in another order it is the same to rounding. Outside the raster it is undefined.
    By torch, which is many times as fast as numpy with halves; a product and a sum at a time, for one operation that
    does both rounds otherwise, and not everywhere.
    """

    def __init__(self, grid: TileGrid, window: Window, bands: int) -> None:
        self.grid = grid
        self.window = window
        self._sum = torch.zeros(bands, *window.shape)

    def feed(self, tile: Window, values: NDArray[np.float16]) -> None:
        """Add `values`, float (bands, tile_px, tile_px), where the tile lies; what is outside the window is ignored."""
        if values.shape != (len(self._sum), *tile.shape) or tile.shape != (self.grid.tile_px, self.grid.tile_px):
            raise ValueError(f"values {values.shape} do not fit {tile} and {len(self._sum)} bands")
        common = intersection(tile, self.window)
        if common.is_empty:
            return
        (rows, cols), (to_rows, to_cols) = slices(common, tile), slices(common, self.window)
        share = torch.tensor(self.grid.weights(tile)[rows, cols])
        self._sum[:, to_rows, to_cols] += torch.from_numpy(values)[:, rows, cols].float().mul_(share)

    @property
    def data(self) -> Floats:
        """The weighted sum of what was fed so far: float32 (bands, rows, columns)."""
        data: Floats = self._sum.numpy()
        return data


def most_likely(logits: Floats) -> NDArray[np.uint8]:
    """logits.argmax(0) of at most 256 classes, finite, twenty times as fast: class by class over whole maps."""
    best, index = logits[0].copy(), np.zeros(logits.shape[1:], np.uint8)
    for number, of_class in enumerate(logits[1:], 1):
        above = (of_class > best).view(np.uint8)
        np.maximum(index, above * np.uint8(number), out=index)
        np.maximum(best, of_class, out=best)
    return index
