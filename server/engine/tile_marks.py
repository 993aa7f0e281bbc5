"""Marks as tiles see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from terrafine.shared.annotation import Annotation, Delta, changed
from terrafine.shared.geo import Window

Tiles = frozenset[Window]


class SeenMarks(tuple[Annotation, ...]):
    """Marks that a tile sees; hashed once, for caches look them up again and again."""

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return super().__hash__()


class TileMarks:
    """Marks in their order, oldest first, and the tiles that see each: a spatial index that follows changes."""

    def __init__(self, touched: Mapping[Annotation, Tiles]) -> None:
        self.marks = tuple(touched)
        found: dict[Window, list[Annotation]] = {}
        for mark, tiles in touched.items():
            for tile in tiles:
                found.setdefault(tile, []).append(mark)
        self._by_tile = {tile: SeenMarks(seen) for tile, seen in found.items()}

    @property
    def tiles(self) -> list[Window]:
        """Those that see a mark."""
        return list(self._by_tile)

    def of(self, tile: Window) -> SeenMarks:
        """The marks that `tile` sees, oldest first."""
        return self._by_tile.get(tile, NONE)

    def within(self, tiles: Iterable[Window]) -> tuple[Annotation, ...]:
        """The marks that any of `tiles` sees, oldest first."""
        return self._in_order({mark.id: mark for tile in tiles for mark in self.of(tile)}.values())

    def changed(self, delta: Delta, touched: Mapping[Annotation, Tiles]) -> TileMarks:
        """What a change leads to. `touched`: the tiles that see each mark it adds; the others stay as they are."""
        after = TileMarks({})
        after.marks = changed(self.marks, delta)
        after._by_tile = self._without(frozenset(delta.removed))
        for mark, tiles in touched.items():
            for tile in tiles:
                after._by_tile[tile] = SeenMarks((*after.of(tile), mark))
        if delta.places:
            for tile in frozenset[Window]().union(*touched.values()):
                after._by_tile[tile] = SeenMarks(after._in_order(after.of(tile)))
        return after

    def _without(self, ids: frozenset[str]) -> dict[Window, SeenMarks]:
        if not ids:
            return dict(self._by_tile)
        kept = {tile: SeenMarks(mark for mark in seen if mark.id not in ids) for tile, seen in self._by_tile.items()}
        return {tile: seen for tile, seen in kept.items() if seen}

    def _in_order(self, marks: Iterable[Annotation]) -> tuple[Annotation, ...]:
        return tuple(sorted(marks, key=lambda mark: self._places[mark.id]))

    @cached_property
    def _places(self) -> dict[str, int]:
        return {mark.id: place for place, mark in enumerate(self.marks)}


NONE = SeenMarks()
