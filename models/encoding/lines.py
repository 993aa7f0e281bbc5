"""Marks as straight lines and as rows of pixels, thousands at once: alone, most of a line's time would be Python's.

What is subtracted is absolute, whatever the window: none may change a rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from terrafine.models.encoding.marks import POLYGON, STROKE, Columns
from terrafine.shared.geo import Window

PIXELS = 1 << 20  # within polygons that are listed at once

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Lines:
    """n lines in model pixels; a point is a line of no length.

    owners   int64 (n,), ascending: which of the marks each is a part of
    starts   float64 (n, 2): x, y
    along    float64 (n, 2): of length 1, towards the end
    lengths  float64 (n,)
    halves   float64 (n,): of their widths
    """

    owners: Indices
    starts: Floats
    along: Floats
    lengths: Floats
    halves: Floats

    @classmethod
    def of(cls, columns: Columns, scale: float, hairline: float = 0.0) -> Lines:
        """Those of points, strokes and the outlines of polygons; strokes are at least `hairline` model pixels wide."""
        owners, starts, ends = _outlines(columns, scale)
        steps = ends - starts
        lengths = np.hypot(steps[:, 0], steps[:, 1])[:, None]
        along = np.divide(steps, lengths, out=np.tile([1.0, 0.0], (len(steps), 1)), where=lengths > 0)
        widths = np.where(columns.kinds == STROKE, np.maximum(columns.widths * scale, hairline), 0.0)
        return cls(owners, starts, along, lengths[:, 0], widths[owners] / 2)

    @property
    def ends(self) -> Floats:
        return self.starts + self.along * self.lengths[:, None]

    def __len__(self) -> int:
        return len(self.owners)

    def __getitem__(self, some: Union[Indices, slice]) -> Lines:
        return Lines(*(column[some] for column in vars(self).values()))

    def distances(self, x: Floats, y: Floats, dtype: type[np.floating[Any]] = np.float64) -> NDArray[Any]:
        """Of positions, arrays that have an axis for the lines in front, to the borders of these: 0 within.

        float32 is twice as quick, and right to a millionth of a line's length.
        """
        columns = (*self.starts.T, *self.along.T, self.lengths.astype(dtype), self.halves.astype(dtype))
        start_x, start_y, along_x, along_y, length, half = (_lead(column, x.ndim) for column in columns)
        dx, dy = x - start_x, y - start_y
        beyond = (dx * along_x).astype(dtype) + (dy * along_y).astype(dtype)
        beyond -= np.minimum(np.maximum(beyond, 0), length)  # an end, then
        aside = (dx * along_y).astype(dtype) - (dy * along_x).astype(dtype)
        beyond *= beyond
        aside *= aside
        aside += beyond
        np.sqrt(aside, out=aside)
        aside -= half
        return np.maximum(aside, 0, out=aside)


def _lead(column: Floats, axes: int) -> Floats:
    return column.reshape(-1, *[1] * (axes - 1))


def _outlines(columns: Columns, scale: float) -> tuple[Indices, Floats, Floats]:
    """Of every line of the marks: whose it is, its start and its end, in model pixels."""
    owners, vertices = np.repeat(np.arange(len(columns.counts)), columns.counts), columns.vertices * scale
    lasts, is_closed = np.cumsum(columns.counts) - 1, columns.kinds == POLYGON
    nexts = np.arange(1, len(vertices) + 1)
    nexts[lasts] = np.where(is_closed, lasts - columns.counts + 1, lasts)
    is_start = np.ones(len(vertices), bool)
    is_start[lasts] = is_closed | (columns.counts == 1)
    return owners[is_start], vertices[is_start], vertices[nexts[is_start]]


def interiors(columns: Columns, scale: float, window: Window) -> Iterator[tuple[Indices, Indices, Indices]]:
    """Yield (which mark, row in the window, column) of the pixels whose centres lie within polygons.

    The polygons come in their order. Of one that crosses itself, what is inside an odd number of its loops counts.
    """
    if not (columns.kinds == POLYGON).any():
        return
    places, rows, firsts, lasts = _runs(columns, scale, window)
    sizes = lasts - firsts
    for some in parts_of(sizes, PIXELS):
        each, steps = runs_of(sizes[some])
        yield places[some][each], rows[some][each], firsts[some][each] + steps


def _runs(columns: Columns, scale: float, window: Window) -> tuple[Indices, Indices, Indices, Indices]:
    """Rows of pixels within polygons: whose, the row in the window, the first column and the one behind the last."""
    places, rows, xs = _crossings(columns.where(columns.kinds == POLYGON), scale, window)
    order = np.lexsort((xs, rows, places))  # a row goes in and out of a polygon in turns
    cols = np.clip(np.ceil(xs[order] - 0.5).astype(np.int64) - window.col, 0, window.width)
    places = np.flatnonzero(columns.kinds == POLYGON)[places[order[::2]]]
    return places, rows[order[::2]] - window.row, cols[::2], cols[1::2]


def _crossings(polygons: Columns, scale: float, window: Window) -> tuple[Indices, Indices, Floats]:
    """Where the polygons' borders cross the lines through the pixels' centres: which polygon, the row, and x."""
    owners, starts, ends = _outlines(polygons, scale)
    lower, upper = np.sort(np.stack([starts[:, 1], ends[:, 1]]), axis=0)  # a row's centre is at or above its first
    firsts, lasts = (np.clip(np.ceil(y - 0.5), window.row, window.row_end).astype(np.int64) for y in (lower, upper))
    lines, steps = runs_of(lasts - firsts)
    rows = firsts[lines] + steps
    (start_x, start_y), (end_x, end_y) = starts[lines].T, ends[lines].T
    return owners[lines], rows, start_x + (rows + 0.5 - start_y) * ((end_x - start_x) / (end_y - start_y))


def runs_of(sizes: Indices) -> tuple[Indices, Indices]:
    """For runs of these sizes, one after the other: which of them each item is in, and its number there."""
    each = np.repeat(np.arange(len(sizes)), sizes)
    return each, np.arange(len(each)) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def parts_of(sizes: Indices, most: int) -> list[slice]:
    """Runs of these sizes, cut between two of them into parts of about `most` items; one at least."""
    borders: list[int] = np.flatnonzero(np.diff(np.cumsum(sizes) // most, prepend=0)).tolist()
    edges = [0, *borders, len(sizes)]
    return [slice(first, last) for first, last in zip(edges, edges[1:]) if last > first] or [slice(0, 0)]
