"""Tiles become one seamless map: the sum of their values, each pixel of a tile by its weight (shared/tiles.py).

All of it where the values are: nothing leaves a network's device before it is a class.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Optional

import numpy as np
import torch
from torch import Tensor

from terrafine.models.cuda import lent
from terrafine.shared.geo import Window, intersection, slices
from terrafine.shared.tiles import TileGrid, WeightKey, weight_table


class Blender:
    """Adds up tiles within a window.

    Feed every tile of `grid.plan(window)` once. In the same order the result is the same bit for bit as for any other
    window that holds the pixel; in another order it is the same to rounding. Outside the raster it is undefined.
    A product and a sum at a time, for one operation that does both rounds otherwise, and not everywhere.
    """

    def __init__(self, grid: TileGrid, window: Window, bands: int, device: torch.device) -> None:
        self.grid = grid
        self.window = window
        self._shape, self._device = (bands, *window.shape), device
        self._sum: Optional[Tensor] = None

    def feed(self, tile: Window, values: Tensor) -> None:
        """Add `values`, float (bands, tile_px, tile_px), where the tile lies; what is outside the window is ignored."""
        if values.shape != (self._shape[0], *tile.shape) or tile.shape != (self.grid.tile_px, self.grid.tile_px):
            raise ValueError(f"values {tuple(values.shape)} do not fit {tile} and {self._shape[0]} bands")
        common = intersection(tile, self.window)
        if common.is_empty:
            return
        (rows, cols), (to_rows, to_cols) = slices(common, tile), slices(common, self.window)
        share = _weights(self.grid.weight_key(tile), self._device)[rows, cols]
        weighted = lent(values)[:, rows, cols].to(torch.float32, copy=True).mul_(share)
        if self._sum is None and common == self.window:
            self._sum = weighted
        else:
            self.data[:, to_rows, to_cols] += weighted

    @property
    def data(self) -> Tensor:
        """The weighted sum of what was fed so far: float32 (bands, rows, columns) on the device."""
        if self._sum is None:
            self._sum = torch.zeros(self._shape, device=self._device)
        return self._sum


def most_likely(logits: Tensor) -> Tensor:
    """logits.argmax(0) of at most 256 classes, finite, as uint8; on a processor twenty times as fast, for it goes class
    by class over whole maps, by numpy, which compares four times as fast as torch.
    """
    if logits.device.type != "cpu":
        return first_of_the_largest(logits)
    first, *others = logits.numpy()
    best, index = first.copy(), np.zeros(first.shape, np.uint8)
    for number, of_class in enumerate(others, 1):
        above = (of_class > best).view(np.uint8)
        np.maximum(index, above * np.uint8(number), out=index)
        np.maximum(best, of_class, out=best)
    return torch.from_numpy(index)


def first_of_the_largest(logits: Tensor) -> Tensor:
    """Likewise, on any device."""
    return logits.argmax(0).to(torch.uint8)


@lru_cache(maxsize=32)
def _weights(key: WeightKey, device: torch.device) -> Tensor:
    return torch.tensor(weight_table(*key), device=device)
