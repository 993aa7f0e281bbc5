"""A map in blocks, and which engine makes which.

Blocks are rectangles of tiles' cells, in columns of blocks. An engine goes down a column: the tiles that a block shares
with the one above are still in its cache, so that only those between columns are computed twice. One without work
takes over the lower half of what is left of the longest column.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Optional

from terrafine.server.cluster.maps import Job
from terrafine.server.rasters import tiling
from terrafine.server.rasters.tiling import Tiling
from terrafine.shared.geo import Window, bounding, intersection

ACROSS, DOWN = 24, 4  # tiles of a block, at most: 1 in 24 is computed twice
LEAST_BLOCKS = 16  # of a column, where it has as many rows of tiles: so that several engines can share it
FEW = 2  # blocks of a column that are left for others to take


@dataclass(eq=False)
class Task:
    """A block of a map, without the patches that are `finished`; `deaths`, of engines that were at work on it."""

    job: Job
    block: Window
    finished: frozenset[Window]
    deaths: int = 0


@dataclass(eq=False)
class Column:
    """What is left of a column of blocks, from top to bottom."""

    tasks: deque[Task] = field(default_factory=deque)

    def lower_half(self) -> Column:
        """Taken away from this one; of a single block, that."""
        taken = [self.tasks.pop() for _ in range((len(self.tasks) + 1) // 2)]
        return Column(deque(reversed(taken)))


def columns(
    lattice: Tiling, job: Job, finished: Container[Window] = frozenset(), within: Optional[Window] = None
) -> Iterator[Column]:
    """Of the blocks of a map, whose tiles lie on `lattice`, that have a patch which is not `finished`.

    within  a part of the raster (in its pixels) that the map is of; by default, all of it
    """
    within = within if within is not None else lattice.raster
    tiles = tiling.tiles_of(lattice, within)
    lefts, tops = sorted({tile.col for tile in tiles}), sorted({tile.row for tile in tiles})
    down = max(1, min(DOWN, len(tops) // LEAST_BLOCKS))
    for left in range(0, len(lefts), ACROSS):
        cols = lefts[left : left + ACROSS]
        blocks = (
            intersection(_block(lattice, cols, tops[top : top + down]), within) for top in range(0, len(tops), down)
        )
        tasks = (_task(lattice, job, block, finished) for block in blocks)
        column = Column(deque(task for task in tasks if task is not None))
        if column.tasks:
            yield column


def _block(lattice: Tiling, lefts: list[int], tops: list[int]) -> Window:
    """The cells, in raster pixels, of the tiles of these columns and rows."""
    size = lattice.tile_px
    corners = (Window(lefts[0], tops[0], size, size), Window(lefts[-1], tops[-1], size, size))
    return bounding(tiling.cell(lattice, corner) for corner in corners)


def _task(lattice: Tiling, job: Job, block: Window, finished: Container[Window]) -> Optional[Task]:
    patches = tiling.pieces(lattice, block, ACROSS)
    done = frozenset(patch for patch in patches if patch in finished)
    return Task(job, block, done) if len(done) < len(patches) else None


class Schedule:
    """Of the blocks of one map after the other; columns are asked for when an engine has nothing else to do."""

    def __init__(self, columns: Iterator[Column]) -> None:
        self._untouched = columns
        self._next = next(columns, None)
        self._lost: deque[Task] = deque()
        self._own: dict[int, Column] = {}

    @property
    def is_over(self) -> bool:
        """Is there nothing left that nobody works on?"""
        return not (self._lost or self._next or any(column.tasks for column in self._own.values()))

    def next(self, engine: int) -> Optional[Task]:
        """What this engine is to do; None if nothing is left."""
        if self._lost:
            return self._lost.popleft()
        if not self._of(engine):
            self._own[engine] = self._untouched_one() or self._longest().lower_half()
        return self._of(engine).popleft() if self._of(engine) else None

    def following(self, engine: int) -> Optional[Task]:
        """What it will do then, where it is clear that no other will."""
        return self._of(engine).popleft() if len(self._of(engine)) > FEW else None

    def put_back(self, task: Task) -> None:
        """Its engine is gone."""
        self._lost.append(task)

    def _of(self, engine: int) -> deque[Task]:
        return self._own.setdefault(engine, Column()).tasks

    def _untouched_one(self) -> Optional[Column]:
        found = self._next
        if found is not None:
            self._next = next(self._untouched, None)
        return found

    def _longest(self) -> Column:
        return max(self._own.values(), key=lambda column: len(column.tasks))
