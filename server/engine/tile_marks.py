"""Marks as tiles see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from terrafine.models.encoding.marks import Marks
from terrafine.shared.annotation import Annotation, Delta, changed
from terrafine.shared.geo import Window

Tiles = frozenset[Window]


class TileMarks:
    """Marks in their order, oldest first, and the tiles that see each: a spatial index that follows changes."""

    def __init__(self, touched: Mapping[Annotation, Tiles]) -> None:
        self.marks = tuple(touched)
        self._by_tile = {tile: Marks(seen) for tile, seen in _by_tile(touched).items()}

    @property
    def tiles(self) -> list[Window]:
        """Those that see a mark."""
        return list(self._by_tile)

    def of(self, tile: Window) -> Marks:
        """The marks that `tile` sees, oldest first."""
        return self._by_tile.get(tile, NONE)

    def changed(self, delta: Delta, touched: Mapping[Annotation, Tiles]) -> TileMarks:
        """What a change leads to. `touched`: the tiles that see each mark it adds; the others stay as they are."""
        after = TileMarks({})
        after.marks = changed(self.marks, delta)
        after._by_tile = self._without(frozenset(delta.removed))
        for tile, added in _by_tile(touched).items():
            seen = after.of(tile).plus(added)
            after._by_tile[tile] = after._in_order(seen) if delta.places else seen
        return after

    def _without(self, ids: frozenset[str]) -> dict[Window, Marks]:
        """Tiles that see none of them keep what they have."""
        kept = dict(self._by_tile)
        for tile in [tile for tile, seen in kept.items() if ids and not ids.isdisjoint(seen.ids)]:
            kept[tile] = kept[tile].without(ids)
        return {tile: seen for tile, seen in kept.items() if seen} if ids else kept

    def _in_order(self, marks: Iterable[Annotation]) -> Marks:
        return Marks(sorted(marks, key=lambda mark: self._places[mark.id]))

    @cached_property
    def _places(self) -> dict[str, int]:
        return {mark.id: place for place, mark in enumerate(self.marks)}


def _by_tile(touched: Mapping[Annotation, Tiles]) -> dict[Window, list[Annotation]]:
    found: dict[Window, list[Annotation]] = {}
    for mark, tiles in touched.items():
        for tile in tiles:
            found.setdefault(tile, []).append(mark)
    return found


NONE = Marks()
