"""Blocks of maps in an actor: it opens the raster where it runs, so pixels are read where they are needed."""

from __future__ import annotations

import socket
import time
from collections import OrderedDict
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import rasterio
from numpy.typing import NDArray

from terrafine.server.cluster.precedence import Precedence
from terrafine.server.engine import engine
from terrafine.server.engine.caches import ByteLru
from terrafine.server.engine.session import Caches, Session
from terrafine.server.rasters.raster_io import GDAL_OPTIONS, open_raster
from terrafine.server.zoo import Zoo, known_folders
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import UnusableRaster
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.side import NOWHERE, SideInformation
from terrafine.shared.spec import PLAIN

Item = TypeVar("Item")
OPEN = 2  # maps that an actor is in the middle of: where one ends it is given blocks of the next


class Block(NamedTuple):
    """Patches, windows and uint8 (bands, rows, columns), and the seconds that they took."""

    patches: list[tuple[Window, NDArray[np.uint8]]]
    seconds: float


@dataclass(frozen=True)
class MapJob:
    """All that a map depends on. Paths are those of storage that every node sees under the same name.

    info            the raster as whoever wants the map has opened it
    marks           at the raster's pixels; method: of uncertainty, "" for none
    features_bytes  that may be kept of tiles' features, for what looks into the network twice
    """

    raster: Path
    info: RasterInfo
    model: str
    models: tuple[Path, ...] = ()
    marks: tuple[Annotation, ...] = ()
    side: SideInformation = NOWHERE
    method: str = ""
    detail: str = PLAIN
    features_bytes: int = 0


class MapMaker:
    """For one thread. It keeps the tiles that a block shares with the next of the same job."""

    def __init__(self, device: str, precedence: Precedence) -> None:
        self._device, self._precedence = device, precedence
        self._zoos: dict[tuple[Path, ...], Zoo] = {}
        self._open: OrderedDict[MapJob, Session] = OrderedDict()

    def block(self, job: MapJob, block: Window, finished: Container[Window]) -> Block:
        """The patches of a block, but for those that are `finished`.

        Raises what opening the raster and `engine.predict` do.
        """
        began = time.perf_counter()
        with rasterio.Env(**GDAL_OPTIONS):
            with self._precedence.patient():
                session = self._session(job)
            items = engine.predict(session, block, method=job.method, detail=job.detail, finished=finished)
            patches = [(item.window, item.array) for item in self._stepped(items) if isinstance(item, Patch)]
        return Block(patches, time.perf_counter() - began)

    def _stepped(self, items: Iterator[Item]) -> Iterator[Item]:
        """The items, each made when nobody hurries."""
        while True:
            with self._precedence.patient():
                item = next(items, None)
            if item is None:
                return
            yield item

    def _session(self, job: MapJob) -> Session:
        if job not in self._open:
            while len(self._open) >= OPEN:
                self._open.popitem(last=False)[1].close()
            self._open[job] = self._opened(job)
        self._open.move_to_end(job)
        return self._open[job]

    def _opened(self, job: MapJob) -> Session:
        zoo = self._zoos.setdefault(job.models, Zoo(known_folders(job.models), self._device))
        predictor = zoo.predictor(job.model)
        raster = open_raster(job.raster, predictor.spec, job.info.bands)
        if not _same(raster.info, job.info):
            raise UnusableRaster(f"'{job.raster}' is another raster on {socket.gethostname()}.", "Use shared storage.")
        session = Session(job.info, raster, predictor, Caches(features=ByteLru(job.features_bytes)))
        session.replace(job.marks, 1)
        session.side = job.side
        return session


def _same(found: RasterInfo, wanted: RasterInfo) -> bool:
    """But for their names, and what the user says of the size of a pixel."""
    named = replace(found, name=wanted.name, grid=replace(found.grid, gsd_m=wanted.grid.gsd_m))
    return named == wanted
