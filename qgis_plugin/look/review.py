"""Which patches to look at, in the server's order, and what became of each. No widgets, no layers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Optional, Sequence

from terrafine.shared.geo import Window, intersection
from terrafine.shared.learning import RankedPatch, RankOptions


class Fate(Enum):
    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Query:
    """A patch of the raster: its score, the higher the more it is worth a look, and what became of it."""

    window: Window
    score: float
    fate: Fate = Fate.OPEN


@dataclass(frozen=True)
class Review:
    """One way through the patches of `area`. Every change gives a new one.

    options  how they are ranked
    patches  in the order in which to look at them
    revision of the map that they were ranked for
    current  where the user is looking; None before the first and after the last
    """

    area: Window
    options: RankOptions = RankOptions()
    patches: tuple[Query, ...] = ()
    revision: int = -1
    current: Optional[Window] = None

    def ranked(self, ranking: Sequence[RankedPatch], revision: int) -> Review:
        """A newer ranking, of which only what lies in the area is shown: done and skipped patches stay so, also those
        that it does not name any more.
        """
        fates = {patch.window: patch.fate for patch in self.patches}
        scores = {intersection(item.window, self.area): item.score for item in ranking}
        fresh = tuple(Query(window, score, fates.pop(window, Fate.OPEN)) for window, score in scores.items())
        kept = tuple(patch for patch in self.patches if patch.window in fates and patch.fate is not Fate.OPEN)
        return replace(self, patches=fresh + kept, revision=revision)

    def next(self) -> Review:
        """Go to the open patch that follows the current one, after the last to the first."""
        windows = [patch.window for patch in self.patches]
        start = windows.index(self.current) + 1 if self.current in windows else 0
        turned = self.patches[start:] + self.patches[:start]
        return replace(self, current=next((p.window for p in turned if p.fate is Fate.OPEN), None))

    def go_to(self, window: Window) -> Review:
        return replace(self, current=window)

    def end(self, fate: Fate) -> Review:
        """Mark the current patch, and go to the next; one that is marked so already is opened again, and stays."""
        is_again = any(p.window == self.current and p.fate is fate for p in self.patches)
        new = Fate.OPEN if is_again else fate
        marked = replace(
            self, patches=tuple(replace(p, fate=new) if p.window == self.current else p for p in self.patches)
        )
        return marked if is_again else marked.next()

    @property
    def open(self) -> tuple[Query, ...]:
        return tuple(patch for patch in self.patches if patch.fate is Fate.OPEN)

    @property
    def reviewed(self) -> float:
        """The share of the area that was looked at and done with, 0 … 1."""
        done = sum(_area(intersection(p.window, self.area)) for p in self.patches if p.fate is Fate.DONE)
        return done / _area(self.area) if not self.area.is_empty else 0.0


def reviewable(mapped: Window, raster: Window, size_px: int) -> Window:
    """The mapped part of a raster, without the patches of which less than half a side is mapped.

    The mapped part itself where there is no such patch.
    """

    def snapped(start: int, end: int, last: int) -> tuple[int, int]:
        first = (start + size_px // 2) // size_px * size_px
        behind = last if end >= last else (end + size_px // 2) // size_px * size_px
        return first, behind

    left, right = snapped(mapped.col, mapped.col_end, raster.col_end)
    top, low = snapped(mapped.row, mapped.row_end, raster.row_end)
    return intersection(Window(left, top, right - left, low - top), mapped) if left < right and top < low else mapped


def _area(window: Window) -> int:
    return window.width * window.height
