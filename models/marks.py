"""Marks for those who look at thousands of them: what is known of each, as columns, kept from change to change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from terrafine.shared.annotation import Annotation


@dataclass(frozen=True)
class Columns:
    """Of n marks, p of which are points.

    class_ids  int16 (n,)
    places     int64 (p,), ascending: which of the marks are points
    xs, ys     float64 (p,): where these lie, in raster pixels
    shapes     the strokes and polygons, each behind its place among the marks
    """

    class_ids: NDArray[np.int16]
    places: NDArray[np.int64]
    xs: NDArray[np.float64]
    ys: NDArray[np.float64]
    shapes: tuple[tuple[int, Annotation], ...]

    @classmethod
    def of(cls, marks: Sequence[Annotation], first: int = 0) -> Columns:
        """`first`: the place of the first of them."""
        class_ids = np.array([mark.class_id for mark in marks], np.int16)
        places = np.array([place for place, mark in enumerate(marks, first) if mark.kind == "point"], np.int64)
        points = np.array([mark.vertices[0] for mark in marks if mark.kind == "point"], np.float64).reshape(-1, 2)
        shapes = tuple((place, mark) for place, mark in enumerate(marks, first) if mark.kind != "point")
        return cls(class_ids, places, points[:, 0].copy(), points[:, 1].copy(), shapes)

    def plus(self, marks: Sequence[Annotation]) -> Columns:
        """With more of them behind these."""
        more = Columns.of(marks, len(self.class_ids))
        return Columns(
            np.concatenate([self.class_ids, more.class_ids]),
            np.concatenate([self.places, more.places]),
            np.concatenate([self.xs, more.xs]),
            np.concatenate([self.ys, more.ys]),
            self.shapes + more.shapes,
        )

    def where(self, kept: NDArray[np.bool_]) -> Columns:
        """Of those of the n marks alone."""
        points, places = kept[self.places], np.cumsum(kept) - 1
        shapes = tuple((int(places[place]), mark) for place, mark in self.shapes if kept[place])
        return Columns(self.class_ids[kept], places[self.places[points]], self.xs[points], self.ys[points], shapes)


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
