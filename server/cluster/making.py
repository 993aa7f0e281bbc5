"""Any number of maps, made by all engines of a cluster: the last blocks of one beside the first of the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, Optional, Protocol

import numpy as np
import rasterio
from numpy.typing import NDArray

from terrafine.server.cluster.batch import Batch
from terrafine.server.cluster.blocks import Column, Schedule, columns
from terrafine.server.cluster.maps import Block, Job, MapJob
from terrafine.server.rasters.raster_io import GDAL_OPTIONS
from terrafine.server.rasters.tiling import Tiling
from terrafine.shared.geo import Window
from terrafine.shared.messages import Progress


class Map(Protocol):
    """One that is being made; its tiles lie on `lattice`."""

    @property
    def job(self) -> MapJob: ...

    @property
    def lattice(self) -> Tiling: ...

    @property
    def finished(self) -> frozenset[Window]: ...

    def take(self, window: Window, bands: NDArray[np.uint8]) -> None: ...


def make(engines: Sequence[Any], maps: Iterable[AbstractContextManager[Map]]) -> Iterator[Progress]:
    """Make maps, each within its context; yields the progress, in blocks of the maps that were begun."""
    # Around all of them: maps do not end in the order in which they began, and a GDAL environment must not end first.
    with rasterio.Env(**GDAL_OPTIONS), _Maps(maps) as making:
        batch = Batch(engines, Schedule(making.columns()))
        yield Progress(0, making.total)
        for done, (job, block) in enumerate(batch.blocks(), 1):
            making.take(job, block)
            yield Progress(done, making.total)


class _Maps:
    """Opened when an engine has nothing else to do, completed when their last block is in."""

    def __init__(self, maps: Iterable[AbstractContextManager[Map]]) -> None:
        self.total = 0
        self._coming = maps
        self._open: dict[Job, tuple[Map, ExitStack]] = {}
        self._left: Counter[Job] = Counter()

    def columns(self) -> Iterator[Column]:
        for context in self._coming:
            stack = ExitStack()
            made = stack.enter_context(context)
            self._open[made.job] = made, stack
            found = list(columns(made.lattice, made.job, made.finished))
            self._left[made.job] = sum(len(column.tasks) for column in found)
            self.total += self._left[made.job]
            self._complete(made.job)
            yield from found

    def take(self, job: Job, block: Block) -> None:
        for window, bands in block.patches:
            self._open[job][0].take(window, bands)
        self._left[job] -= 1
        self._complete(job)

    def __enter__(self) -> _Maps:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        """Those that are not complete are left as they are after an error."""
        for _, stack in self._open.values():
            stack.__exit__(kind, error, trace)

    def _complete(self, job: Job) -> None:
        if not self._left[job]:
            self._open.pop(job)[1].close()
