"""Blocks of maps in an actor: it opens the raster where it runs, so pixels are read where they are needed."""

from __future__ import annotations

import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, Optional, TypeVar, Union

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray

from terrafine.server.cluster.precedence import Precedence
from terrafine.server.engine import engine
from terrafine.server.engine.caches import ByteLru
from terrafine.server.engine.session import Caches, Session
from terrafine.server.engine.sessions import Sessions
from terrafine.server.rasters.raster_io import GDAL_OPTIONS, open_raster
from terrafine.server.zoo import Zoo, known_folders
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import NotFound, UnusableRaster
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.side import NOWHERE, SideInformation
from terrafine.shared.spec import PLAIN

Item = TypeVar("Item")
OPEN = 2  # maps that an actor is in the middle of: where one ends it is given blocks of the next


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


@dataclass(frozen=True)
class SessionJob:
    """The map of a session that another engine holds, at one revision, for whoever reads its journal."""

    client: str
    session: str
    revision: int
    method: str = ""
    detail: str = PLAIN


Job = Union[MapJob, SessionJob]
Opened = tuple[Session, Callable[[], None]]  # and what lets go of it


class Block(NamedTuple):
    """Patches, windows and uint8 (bands, rows, columns), and the seconds that they took."""

    patches: list[tuple[Window, NDArray[np.uint8]]]
    seconds: float


class MapMaker:
    """For one thread. It keeps the tiles that a block shares with the next of the same job."""

    def __init__(self, device: str, threads: int, precedence: Precedence, guests: Optional[Sessions] = None) -> None:
        """`guests` are the sessions of others, as their journals have them."""
        self._device, self._threads, self._precedence, self._guests = device, threads, precedence, guests
        self._zoos: dict[tuple[Path, ...], Zoo] = {}
        self._open: OrderedDict[Job, Opened] = OrderedDict()

    def block(self, job: Job, block: Window, finished: Container[Window]) -> Block:
        """The patches of a block, but for those that are `finished`.

        Raises what opening the raster and `engine.predict` do, NotFound for a session that is not to be had so.
        """
        began = time.perf_counter()
        if self._threads > 0:
            torch.set_num_threads(self._threads)  # torch means the thread that says so
        with rasterio.Env(**GDAL_OPTIONS):
            with self._precedence.patient():
                session = self._session(job)
                if engine.missing_pixels(session, block, None, job.detail):
                    raise NotFound("Pixels of the session are not on the shared storage.")
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

    def _session(self, job: Job) -> Session:
        if job not in self._open:
            while len(self._open) >= OPEN:
                self._open.popitem(last=False)[1][1]()
            self._open[job] = self._of_file(job) if isinstance(job, MapJob) else self._of_guest(job)
        self._open.move_to_end(job)
        return self._open[job][0]

    def _of_file(self, job: MapJob) -> Opened:
        if job.models not in self._zoos:
            self._zoos[job.models] = Zoo(known_folders(job.models), self._device)
        predictor = self._zoos[job.models].predictor(job.model)
        raster = open_raster(job.raster, predictor.spec, job.info.bands)
        if not _same(raster.info, job.info):
            raise UnusableRaster(f"'{job.raster}' is another raster on {socket.gethostname()}.", "Use shared storage.")
        session = Session(job.info, raster, predictor, Caches(features=ByteLru(job.features_bytes)))
        session.replace(job.marks, 1)
        session.side = job.side
        return session, session.close

    def _of_guest(self, job: SessionJob) -> Opened:
        if self._guests is None:
            raise NotFound("This engine takes no part in sessions.")
        self._guests.leave(job.client, job.session)  # of another revision
        session = self._guests.find(job.client, job.session).session
        if session.log.revision != job.revision:
            raise NotFound(f"The session's journal is at revision {session.log.revision}, not {job.revision}.")
        return session, partial(self._guests.leave, job.client, job.session)


def _same(found: RasterInfo, wanted: RasterInfo) -> bool:
    """But for their names, and what the user says of the size of a pixel."""
    named = replace(found, name=wanted.name, grid=replace(found.grid, gsd_m=wanted.grid.gsd_m))
    return named == wanted
