"""Costs of single things, from which tools/scale_model.py reckons what many machines would do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import zmq

from terrafine.server.gateway.serve import Server
from terrafine.server.process.pipe import Answer
from terrafine.server.rasters.map_writer import Layer, MapWriter
from terrafine.server.rasters.raster_io import Georeference
from terrafine.server.rasters.work_file import WorkFile
from terrafine.shared import messages as m
from terrafine.shared import wire
from terrafine.shared.geo import IDENTITY, Grid, Window, blocks
from terrafine.shared.spec import LandCover

ENGINES = (1, 10, 100)
AT_ONCE = 64  # requests of all clients that are on their way
MESSAGES_S = 2.0
READ_PX = 1024
SIDE = 4096  # of a map that is written


@dataclass(frozen=True)
class UnitCosts:
    """What one core does in a second, in Mpx (10⁶ pixels), and bytes a pixel.

    read         of a tiled JPEG in a GeoTIFF, three bands
    written      a map with its overviews, and what an interrupted run goes on from; of patches of a few classes
    messages     a second through the gateway, there and back, by the number of engines
    """

    read: float
    read_bytes: float
    written: float
    map_bytes: float
    messages: dict[int, float]


def measure_units(folder: Path, raster: Path) -> UnitCosts:
    read = _read(raster)
    written, map_bytes = _written(folder)
    size = raster.stat().st_size
    with rasterio.open(raster) as dataset:
        pixels = dataset.width * dataset.height
    return UnitCosts(read, size / pixels, written, map_bytes, {count: _messages(count) for count in ENGINES})


def _read(path: Path) -> float:
    started = time.perf_counter()
    with rasterio.open(path) as dataset:
        whole = Window(0, 0, dataset.width, dataset.height)
        for part in blocks(whole, READ_PX):
            dataset.read(window=rasterio.windows.Window(part.col, part.row, part.width, part.height))
    return whole.pixels / 1e6 / (time.perf_counter() - started)


def _written(folder: Path) -> tuple[float, float]:
    """(Mpx a second, bytes a pixel)"""
    rng, path = np.random.default_rng(0), folder / "written.tif"
    classes = np.kron(rng.integers(0, 6, (SIDE // 32, SIDE // 32), np.uint8), np.ones((32, 32), np.uint8))
    names = tuple(LandCover(number, str(number), "#000000") for number in range(6))
    grid, started = Grid(SIDE, SIDE), time.perf_counter()
    place = Georeference(IDENTITY, (), None)
    with WorkFile(path, {}) as work, MapWriter(path, grid, place, Layer("", names)) as writer:
        for part in blocks(grid.window, READ_PX):
            patch = classes[part.row : part.row_end, part.col : part.col_end]
            work.add(part, patch[None])
            writer.write(part, patch)
    return SIDE**2 / 1e6 / (time.perf_counter() - started), path.stat().st_size / SIDE**2


class _Echo:
    """An engine that answers at once."""

    def takes(self, _job: object) -> bool:
        return True

    def advance(self, job: int, request: Sequence[Any] = (), client: str = "", waited_s: float = 0.0) -> Answer:
        request_id, _ = wire.unpack(request)
        return Answer(wire.pack(m.Models(()), request_id), last=True)

    def stop(self, job: int) -> None: ...

    def attend(self) -> None: ...

    restart = attend


class _Echoes:
    """Engines that answer at once."""

    device, is_there = "cpu", True

    def __init__(self, count: int) -> None:
        self.all = [_Echo() for _ in range(count)]
        self.figures: dict[str, Any] = {}

    def start(self) -> None: ...

    end = close = start

    def status(self) -> dict[str, Any]:
        return {}

    def stop(self, job: int) -> None: ...

    def forget_client(self, client: str) -> None: ...

    def forget_session(self, client: str, session: str) -> None: ...


def _messages(engines: int) -> float:
    with _served(engines) as socket:
        for number in range(AT_ONCE):
            socket.send_multipart(wire.pack(m.ListModels(), f"q{number}"))
        done, started = 0, time.perf_counter()
        while (seconds := time.perf_counter() - started) < MESSAGES_S:
            request_id, _ = wire.unpack(socket.recv_multipart())
            done += 1
            socket.send_multipart(wire.pack(m.ListModels(), request_id))
    return done / seconds


@contextmanager
def _served(engines: int) -> Iterator[zmq.Socket[bytes]]:
    server = Server(_Echoes(engines))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.connect(server.address)
    try:
        yield socket
    finally:
        context.destroy(linger=0)
        server.stop()
        thread.join()
