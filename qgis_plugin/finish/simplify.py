"""Borders simplified as a whole: neighbours go on sharing them, and none ever crosses another.

As with Visvalingam and Whyatt ("Line generalisation by repeated elimination of points", 1993), the corner that matters
least goes first, judged by the triangle with its two neighbours. A corner may go only if no other corner lies in or on
that triangle, and if its neighbours are not joined already: then the new segment cannot touch anything, and the map's
topology stays as it is. Corners where borders meet stay.

Pixels make staircases, and a step that rises by one pixel matters less than the end of a wall one pixel thick, though
their triangles are equal. So a corner in a zigzag counts with its triangle's height, a corner at the end of something
with the side of the square that is as large as its parallelogram.

Corners that matter less than both neighbours go at the same time: each triangle is empty, so their order is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from terrafine.qgis_plugin.finish.borders import Borders

STRIDE, BEYOND = 1 << 32, 1 << 31  # no raster has so many columns, nor half as many


def simplify(borders: Borders, tolerance_px: float) -> np.ndarray:
    """Which corners stay, bool (n,): those that matter less than `tolerance_px` pixels go, wherever they can."""
    degree = (borders.to >= 0).sum(axis=1)
    chains = _Chains(borders, degree == 2)
    while chains.remove_smallest(tolerance_px):
        pass
    return chains.kept


@dataclass
class _Triangles:
    """Corners, each with its two neighbours: numbers into Borders."""

    corner: np.ndarray
    a: np.ndarray
    b: np.ndarray

    def __getitem__(self, mask: np.ndarray) -> _Triangles:
        return _Triangles(self.corner[mask], self.a[mask], self.b[mask])


class _Chains:
    """The corners that are left, and how they hang together."""

    def __init__(self, borders: Borders, free: np.ndarray) -> None:
        count = len(borders.x)
        self._x, self._y = borders.x, borders.y
        self._keys = borders.y * STRIDE + borders.x  # ascending, as corners are in row-major order
        self._order = _scrambled(self._keys)
        self._free = free
        self._neighbours = np.where(free[:, np.newaxis], np.sort(borders.to, axis=1)[:, 2:], -1)
        self._joined = _direct(borders.to, free)
        self.kept = np.ones(count, bool)

    def remove_smallest(self, limit_px: float) -> bool:
        """Remove corners that matter less than `limit_px` and than both neighbours; were there any?"""
        corner = np.flatnonzero(self._free & self.kept)
        triangles = _Triangles(corner, *self._neighbours[corner].T)
        size = self._sizes(triangles)
        small = size < limit_px
        triangles, size = triangles[small], size[small]
        can_go = ~self._are_joined(triangles) & self._are_empty(triangles)
        triangles, size = triangles[can_go], size[can_go]
        chosen = triangles[self._are_smallest(triangles, size)]
        _, first = np.unique(self._pairs(chosen.a, chosen.b), return_index=True)
        self._remove(chosen[first])
        return len(first) > 0

    def _sizes(self, t: _Triangles) -> np.ndarray:
        """How much each corner matters, in pixels."""
        base, to_a, to_b = (self._distance(*ends) for ends in ((t.a, t.b), (t.corner, t.a), (t.corner, t.b)))
        near, far = np.where(to_a <= to_b, t.a, t.b), np.where(to_a <= to_b, t.b, t.a)
        beyond = self._neighbours[near].sum(axis=1) - t.corner
        side, other = self._side(t.corner, near, far), self._side(t.corner, near, np.where(self._free[near], beyond, 0))
        is_end = self._free[near] & (side * other > 0)
        doubled_area = np.abs(side)
        return np.where(is_end, np.sqrt(doubled_area), doubled_area / base)

    def _side(self, start: np.ndarray, end: np.ndarray, point: np.ndarray) -> np.ndarray:
        """Twice the area of a triangle; its sign says on which side of the line the point lies."""
        x, y = self._x, self._y
        return (x[end] - x[start]) * (y[point] - y[start]) - (x[point] - x[start]) * (y[end] - y[start])

    def _distance(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        return np.hypot(self._x[end] - self._x[start], self._y[end] - self._y[start])

    def _are_joined(self, t: _Triangles) -> np.ndarray:
        """Is there a segment between the two neighbours already?"""
        by_corner = (self._neighbours[t.a] == t.b[:, np.newaxis]).any(axis=1)
        by_corner |= (self._neighbours[t.b] == t.a[:, np.newaxis]).any(axis=1)
        return by_corner | np.isin(self._pairs(t.a, t.b), self._joined)

    def _are_empty(self, t: _Triangles) -> np.ndarray:
        """Does no corner but its own three lie in or on each triangle? Counted along the rows of the lattice."""
        xs, ys = (np.stack([axis[t.a], axis[t.corner], axis[t.b]], axis=1) for axis in (self._x, self._y))
        top, rows = ys.min(axis=1), np.ptp(ys, axis=1) + 1
        ends = np.cumsum(rows)
        number = np.repeat(np.arange(len(rows)), rows)
        row = top[number] + np.arange(len(number)) - (ends - rows)[number]
        low, high = _spans(xs[number], ys[number], row)
        keys = self._keys[self.kept]
        inside = np.searchsorted(keys, row * STRIDE + high, side="right")
        inside -= np.searchsorted(keys, row * STRIDE + low, side="left")
        total = np.bincount(number, np.maximum(inside, 0), minlength=len(rows))
        return total == 3

    def _are_smallest(self, t: _Triangles, size: np.ndarray) -> np.ndarray:
        """Is each triangle smaller than both its neighbours'? Equal ones are told apart by scrambled numbers."""
        sizes = np.full(len(self.kept), np.inf)
        sizes[t.corner] = size
        order = self._order
        smallest = np.ones(len(size), bool)
        for side in (t.a, t.b):
            smallest &= (size < sizes[side]) | ((size == sizes[side]) & (order[t.corner] < order[side]))
        return smallest

    def _remove(self, t: _Triangles) -> None:
        self.kept[t.corner] = False
        for end, other in ((t.a, t.b), (t.b, t.a)):
            row, column = np.nonzero(self._neighbours[end] == t.corner[:, np.newaxis])
            self._neighbours[end[row], column] = other[row]
        fixed = ~self._free[t.a] & ~self._free[t.b]
        self._joined = np.union1d(self._joined, self._pairs(t.a[fixed], t.b[fixed]))

    def _pairs(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """One number for each unordered pair of corners."""
        return np.minimum(a, b) * len(self.kept) + np.maximum(a, b)


def _spans(xs: np.ndarray, ys: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last whole x of triangles, int (n, 3) for each axis, in a row; low > high where there is none."""
    low, high = np.full(len(row), BEYOND), np.full(len(row), -1)
    for p, q in ((0, 1), (1, 2), (2, 0)):
        upper, lower = np.where(ys[:, p] <= ys[:, q], p, q), np.where(ys[:, p] <= ys[:, q], q, p)
        each = np.arange(len(row))
        x0, y0, x1, y1 = xs[each, upper], ys[each, upper], xs[each, lower], ys[each, lower]
        meets, flat = (y0 <= row) & (row <= y1), y0 == y1
        along, rise = (row - y0) * (x1 - x0), np.where(flat, 1, y1 - y0)
        first = np.where(flat, np.minimum(x0, x1), x0 - (-along // rise))
        last = np.where(flat, np.maximum(x0, x1), x0 + along // rise)
        low, high = np.where(meets, np.minimum(low, first), low), np.where(meets, np.maximum(high, last), high)
    return low, high


def _direct(to: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Pairs of corners where borders meet that a segment joins, as one number each."""
    start, direction = np.nonzero((to >= 0) & ~free[:, np.newaxis])
    end = to[start, direction]
    both = ~free[end]
    low, high = np.minimum(start, end)[both], np.maximum(start, end)[both]
    return np.unique(low * len(free) + high)


def _scrambled(keys: np.ndarray) -> np.ndarray:
    """Numbers in no visible order, the same for a place whatever is around it (the finaliser of MurmurHash3)."""
    mixed = keys.astype(np.uint64)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(33))
