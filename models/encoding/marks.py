"""Marks for those who look at thousands of them: what is known of each, as columns, kept from change to change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, compress

import numpy as np
from numpy.typing import NDArray

from terrafine.shared.annotation import KINDS, Annotation

POINT, STROKE, POLYGON = (KINDS.index(kind) for kind in ("point", "stroke", "polygon"))


@dataclass(frozen=True)
class Columns:
    """Of n marks that have v vertices.

    class_ids  int16 (n,)
    kinds      int8 (n,): POINT, STROKE or POLYGON
    widths     float64 (n,), in raster pixels: 0 where the mark is no stroke
    counts     int64 (n,): how many of the vertices are whose
    vertices   float64 (v, 2): x, y in raster pixels
    """

    class_ids: NDArray[np.int16]
    kinds: NDArray[np.int8]
    widths: NDArray[np.float64]
    counts: NDArray[np.int64]
    vertices: NDArray[np.float64]

    @classmethod
    def of(cls, marks: Sequence[Annotation]) -> Columns:
        kinds = np.array([KINDS.index(mark.kind) for mark in marks], np.int8)
        widths = np.array([mark.width_px for mark in marks], np.float64)
        vertices = np.array(list(chain.from_iterable(mark.vertices for mark in marks)), np.float64).reshape(-1, 2)
        return cls(
            np.array([mark.class_id for mark in marks], np.int16),
            kinds,
            np.where(kinds == STROKE, widths, 0.0),
            np.array([len(mark.vertices) for mark in marks], np.int64),
            vertices,
        )

    def plus(self, marks: Sequence[Annotation]) -> Columns:
        """With more of them behind these."""
        both = zip(vars(self).values(), vars(Columns.of(marks)).values())
        return Columns(*(np.concatenate(pair) for pair in both))

    def boxes(self, hairline: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The least and the largest x and y of each mark, (n, 2); strokes are at least `hairline` pixels wide."""
        grow = np.where(self.kinds == STROKE, np.maximum(self.widths, hairline), 0.0)[:, None] / 2
        firsts = np.cumsum(self.counts) - self.counts
        lows, highs = (extreme.reduceat(self.vertices, firsts) for extreme in (np.minimum, np.maximum))
        return lows - grow, highs + grow

    def where(self, kept: NDArray[np.bool_]) -> Columns:
        """Of those of the n marks alone."""
        vertices = self.vertices[np.repeat(kept, self.counts)]
        return Columns(self.class_ids[kept], self.kinds[kept], self.widths[kept], self.counts[kept], vertices)


class Marks(tuple[Annotation, ...]):
    """Marks in their order, oldest first. Hash and columns are found out once: they are asked for again and again."""

    @classmethod
    def of(cls, marks: Iterable[Annotation]) -> Marks:
        return marks if isinstance(marks, cls) else cls(marks)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return super().__hash__()

    @cached_property
    def columns(self) -> Columns:
        return Columns.of(self)

    @cached_property
    def ids(self) -> frozenset[str]:
        return frozenset(mark.id for mark in self)

    def plus(self, marks: Sequence[Annotation]) -> Marks:
        """With more of them behind these, whose columns are not made anew."""
        after = Marks((*self, *marks))
        if "columns" in vars(self):
            after.columns = self.columns.plus(marks)
        return after

    def without(self, ids: Set[str]) -> Marks:
        """The others, whose columns are not made anew either."""
        kept = [mark.id not in ids for mark in self]
        after = Marks(compress(self, kept))
        if "columns" in vars(self):
            after.columns = self.columns.where(np.array(kept, bool))
        return after
