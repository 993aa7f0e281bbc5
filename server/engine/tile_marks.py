"""Marks as tiles see them."""

from __future__ import annotations

from collections.abc import Mapping

from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Window


class TileMarks:
    """Marks in their order, oldest first, and the tiles that see each."""

    def __init__(self, touched: Mapping[Annotation, frozenset[Window]]) -> None:
        self.marks = tuple(touched)
        found: dict[Window, list[Annotation]] = {}
        for mark, tiles in touched.items():
            for tile in tiles:
                found.setdefault(tile, []).append(mark)
        self._by_tile = {tile: tuple(seen) for tile, seen in found.items()}

    @property
    def tiles(self) -> list[Window]:
        """Those that see a mark."""
        return list(self._by_tile)

    def of(self, tile: Window) -> tuple[Annotation, ...]:
        """The marks that `tile` sees, oldest first."""
        return self._by_tile.get(tile, ())
