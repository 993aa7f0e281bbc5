"""Borders between the classes of a raster, as a planar graph on the lattice of pixel corners.

A lattice point is a *corner* where a border turns or where borders meet; those in the middle of a straight border are
not needed. Corners are held in row-major order, so the next one along a border that runs east is simply the next.
Between two corners there is at most one straight segment, which both neighbours share.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Iterable

import numpy as np

from terrafine.shared.geo import Window

NO_CLASS = np.iinfo(np.int32).min  # no data, and all that lies outside the raster
EAST, SOUTH, WEST, NORTH = range(4)  # each is a right turn from the one before
NW, NE, SW, SE = range(4)


@dataclass(frozen=True)
class Borders:
    """n corners, and the straight segments between them.

    x, y  int64 (n,): pixel coordinates
    quad  int32 (n, 4): the classes around a corner: north-west, north-east, south-west, south-east
    run   int64 (n,): x of the border on the left of the run of equal pixels that the north-western pixel belongs to
    to    int64 (n, 4): the corner at the other end of the segment that leaves to the east, south, west, north; or -1
    """

    x: np.ndarray
    y: np.ndarray
    quad: np.ndarray
    run: np.ndarray
    to: np.ndarray


def find_borders(strips: Iterable[np.ndarray], window: Window) -> Borders:
    """The borders in a window of a raster: `strips` are its class ids from top to bottom, int32 (rows, window.width),
    NO_CLASS where there is none."""
    outside = np.full((1, window.width), NO_CLASS, np.int32)
    above, top, found = _padded(outside), 0, []
    for strip in chain(strips, [outside]):
        block = np.concatenate([above, _padded(strip)])
        found.append(_corners(block, top))
        above, top = block[-1:], top + len(strip)
    x, y, quad, run = (np.concatenate(parts) for parts in zip(*found))
    return Borders(x + window.col, y + window.row, quad, run + window.col, _segments(x, y, quad))


def _padded(strip: np.ndarray) -> np.ndarray:
    """A strip with a column of nothing on either side."""
    return np.pad(strip, ((0, 0), (1, 1)), constant_values=NO_CLASS)


def _corners(block: np.ndarray, top: int) -> tuple[np.ndarray, ...]:
    """x, y, quad and run of the corners between the rows of a padded block, whose first row is raster row top - 1."""
    nw, ne, sw, se = block[:-1, :-1], block[:-1, 1:], block[1:, :-1], block[1:, 1:]
    north, south, west, east = nw != ne, sw != se, nw != sw, ne != se
    straight = (north == south) & (west == east) & (north != west)
    row, col = np.nonzero((north | south | west | east) & ~straight)
    quad = np.stack([pixels[row, col] for pixels in (nw, ne, sw, se)], axis=1)
    starts = np.where(north, np.arange(1, block.shape[1]), 0)  # padded column at which a run of equal pixels begins
    begun = np.maximum.accumulate(starts, axis=1)
    run = np.where(col > 0, begun[row, col - 1], 0) - 1
    return col.astype(np.int64), (row + top).astype(np.int64), quad, run.astype(np.int64)


def _segments(x: np.ndarray, y: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """The table `to`."""
    to = np.full((len(x), 4), -1, np.int64)
    start = np.flatnonzero(quad[:, NE] != quad[:, SE])
    to[start, EAST], to[start + 1, WEST] = start + 1, start
    downwards = np.lexsort((y, x))
    place = np.flatnonzero((quad[:, SW] != quad[:, SE])[downwards])
    start, end = downwards[place], downwards[place + 1]
    to[start, SOUTH], to[end, NORTH] = end, start
    return to
