"""A window cut into cells of CELL × CELL pixels, and the lines that each may see: few pixels are looked at in vain.

A line and a cell that it may reach are a pair, and all pairs are measured alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from terrafine.models.encoding.lines import Floats, Indices, Lines, parts_of, runs_of
from terrafine.shared.geo import Window

CELL = 8  # pixels a side
MEASURED = 1 << 10  # pairs at once: they fit into the processor's cache
PAIRED = 1 << 17  # pairs that are looked through at once: thousands of lines have millions
SLACK = 0.01  # of a pixel, more than any rounding
HALF = (CELL - 1) / math.sqrt(2) + SLACK  # from a cell's centre to those of its outermost pixels


@dataclass(frozen=True)
class Cells:
    """An array (layers, rows, columns) that covers a window, and the same memory cell by cell.

    image  (layers, rows, columns) of the window
    cells  (layers, rows of cells, columns of cells, CELL, CELL), with a border where the window ends within a cell
    """

    window: Window
    image: NDArray[Any]
    cells: NDArray[Any]

    @classmethod
    def zeros(cls, layers: int, window: Window, dtype: type[np.generic]) -> Cells:
        rows, cols = -(-window.height // CELL), -(-window.width // CELL)
        whole = np.zeros((layers, rows * CELL, cols * CELL), dtype)
        cells = whole.reshape(layers, rows, CELL, cols, CELL).transpose(0, 1, 3, 2, 4)
        return cls(window, whole[:, : window.height, : window.width], cells)

    @property
    def count(self) -> tuple[int, int, int]:
        """Layers, rows of cells and columns of cells. A cell's key is its number in that order."""
        layers, rows, cols = self.cells.shape[:3]
        return layers, rows, cols

    def raise_to(self, keys: Indices, values: NDArray[Any]) -> None:
        """Let cells, by ascending key, have the larger of what they have and of all `values` (n, CELL, CELL)."""
        keys, values = _largest(keys, values)
        places = np.unravel_index(keys, self.count)
        self.cells[places] = np.maximum(self.cells[places], values)


def _largest(keys: Indices, values: NDArray[Any]) -> tuple[Indices, NDArray[Any]]:
    """Of values by ascending key, the largest of each key. `values` is written over.

    numpy's `maximum.reduceat` takes several times as long where hardly any key has more than a few.
    """
    numbers = np.arange(len(keys))
    numbers -= np.maximum.accumulate(np.where(np.diff(keys, prepend=-1) > 0, numbers, 0))  # each within its key
    while numbers.any():
        odd = np.flatnonzero(numbers & 1)
        values[odd - 1] = np.maximum(values[odd - 1], values[odd])
        kept = numbers & 1 == 0
        keys, values, numbers = keys[kept], values[kept], numbers[kept] >> 1
    return keys, values


@dataclass(frozen=True)
class Pairs:
    """Which line, the key of which cell, and how far apart their pixels are at least."""

    lines: Indices
    keys: Indices
    gaps: Floats

    def __getitem__(self, some: Union[Indices, NDArray[np.bool_], slice]) -> Pairs:
        return Pairs(self.lines[some], self.keys[some], self.gaps[some])


def measured(
    cells: Cells, lines: Lines, layers: Indices, reach: float, nearest: bool, dtype: type[np.floating[Any]]
) -> Iterator[tuple[Indices, Indices, Floats]]:
    """Yield (which lines, keys of cells, distances of their pixels (n, CELL, CELL)), the keys ascending.

    layers   of each line
    reach    a line further from all pixels of a cell may be left out there
    nearest  so may a line, then, that is nowhere in a cell the nearest of its layer
    """
    if not len(lines):
        return
    pairs = _paired(cells, lines, layers, reach, nearest)
    pairs = pairs[np.argsort(pairs.keys, kind="stable")]
    for first in range(0, len(pairs.keys), MEASURED):
        some = pairs[first : first + MEASURED]
        x, y = _corners(cells, some.keys)
        steps = np.arange(CELL) + 0.5
        x, y = (x[:, None] + steps)[:, None, :], (y[:, None] + steps)[:, :, None]
        yield some.lines, some.keys, lines[some.lines].distances(x, y, dtype)


def _paired(cells: Cells, lines: Lines, layers: Indices, reach: float, nearest: bool) -> Pairs:
    farthest = np.full(math.prod(cells.count), np.inf)  # pixel of each cell: so far at most from a line of its layer
    firsts, counts = _rectangles(cells, lines, reach)
    parts = []
    for some in parts_of(counts.prod(axis=1), PAIRED):
        pairs = _met(cells, lines[some], layers[some], firsts[some], counts[some])
        pairs = pairs[pairs.gaps <= reach]
        if nearest:
            np.minimum.at(farthest, pairs.keys, pairs.gaps + 2 * HALF)
            pairs = pairs[pairs.gaps <= farthest[pairs.keys]]
        parts.append(Pairs(pairs.lines + some.start, pairs.keys, pairs.gaps))
    pairs = Pairs(*(np.concatenate(columns) for columns in zip(*(vars(part).values() for part in parts))))
    return pairs[pairs.gaps <= farthest[pairs.keys]]


def _rectangles(cells: Cells, lines: Lines, reach: float) -> tuple[Indices, Indices]:
    """Of the cells that each line may reach: column and row of the first, and how many columns and rows."""
    (_, rows, cols), corner = cells.count, np.array([cells.window.col, cells.window.row])
    ends, grow = lines.ends, (reach + lines.halves + 0.5 + SLACK)[:, None]
    firsts = np.maximum(np.floor((np.minimum(lines.starts, ends) - grow - corner) / CELL), 0)
    lasts = np.minimum(np.floor((np.maximum(lines.starts, ends) + grow - corner) / CELL), (cols - 1, rows - 1))
    return firsts.astype(np.int64), np.maximum(lasts - firsts + 1, 0).astype(np.int64)


def _met(cells: Cells, lines: Lines, layers: Indices, firsts: Indices, counts: Indices) -> Pairs:
    """Each line with all cells of its rectangle."""
    _, rows, cols = cells.count
    each, number = runs_of(counts.prod(axis=1))
    down, right = np.divmod(number, counts[each, 0])
    keys = (layers[each] * rows + firsts[each, 1] + down) * cols + firsts[each, 0] + right
    x, y = _corners(cells, keys)
    return Pairs(each, keys, lines[each].distances(x + CELL / 2, y + CELL / 2) - HALF)


def _corners(cells: Cells, keys: Indices) -> tuple[Floats, Floats]:
    """x and y of the first corners."""
    _, rows, cols = np.unravel_index(keys, cells.count)
    return cells.window.col + CELL * cols.astype(np.float64), cells.window.row + CELL * rows.astype(np.float64)
