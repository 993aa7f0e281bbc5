"""A map that a server makes for predict: pixels travel as it asks for them, unless it sees the file, patches back.

The raster is asked for in chunks, so that neither side holds much of it. Whichever side stops, the work goes on: here
by what is written down of finished patches, there by the session, which has the same name for the same map.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import signal
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Optional

import rasterio

from terrafine.server.cli import opening
from terrafine.server.cli.output import Output, output
from terrafine.server.gateway import keys
from terrafine.server.rasters.marks_file import read_marks
from terrafine.server.rasters.raster_io import GDAL_OPTIONS, Raster, open_raster
from terrafine.server.rasters.side_file import read_side
from terrafine.server.rasters.work_file import stamp
from terrafine.shared import codec
from terrafine.shared.client import Client
from terrafine.shared.errors import (
    ConfigError,
    ConnectionFailed,
    EngineRestarted,
    NotAllowed,
    NotFound,
    ServerBusy,
    TerrafineError,
)
from terrafine.shared.files import share_file
from terrafine.shared.geo import Window, blocks, contains
from terrafine.shared.messages import Progress
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import ModelSpec
from terrafine.shared.transport import ClientKeys, ZmqTransport

log = logging.getLogger(__name__)
CHUNK_PX = 8192  # a side: more than anybody looks at, so that the server lets clicks of others go first
PATIENCE_S, PAUSE_S = 600.0, 2.0  # for a server that is gone, since the last patch; and between two tries
_PASSING = (ConnectionFailed, EngineRestarted, NotFound, ServerBusy)  # and what they were about can be asked for again


class ServerMap:
    """The map of one raster at one server."""

    def __init__(self, arguments: argparse.Namespace, spec: ModelSpec, raster: Raster, info: RasterInfo) -> None:
        self._arguments, self._spec, self._raster, self._info = arguments, spec, raster, info
        what = [codec.encode(spec, []), stamp(arguments.raster), str(arguments.map.resolve())]
        self._session = "predict-" + hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]
        self._heard = time.monotonic()

    def make(self, written: Output) -> Iterator[Progress]:
        """Have the server make all that is not finished; `written` takes it as it comes. Progress is in chunks."""
        chunks = blocks(self._info.grid.window, CHUNK_PX)
        while left := [chunk for chunk in chunks if not _covered(chunk, written.finished)]:
            try:
                with closing(_connect(self._arguments)) as client:
                    self._open(client)
                    for number, chunk in enumerate(left, len(chunks) - len(left)):
                        yield Progress(number, len(chunks))
                        self._classify(client, chunk, written)
            except _PASSING as error:
                self._bear(error)
        yield Progress(len(chunks), len(chunks))
        with suppress(ConnectionFailed), closing(_connect(self._arguments)) as client:
            client.close_session(self._session)

    def _bear(self, error: TerrafineError) -> None:
        """Wait before the next try; raises an error that does not pass, or has lasted too long."""
        if isinstance(error, NotAllowed) or time.monotonic() - self._heard > PATIENCE_S:
            raise error
        log.warning("%s The server is asked again.", error.message)
        time.sleep(PAUSE_S)

    def _classify(self, client: Client, chunk: Window, written: Output) -> None:
        given, finished = self._arguments, written.finished
        replies = client.predict(
            self._session, chunk, self._raster.read, uncertainty=given.uncertainty[0], detail=given.detail
        )
        for reply in replies:
            self._heard = time.monotonic()
            if isinstance(reply, Patch) and reply.window not in finished:
                written.take(reply.window, reply.array)

    def _open(self, client: Client) -> None:
        """Begin, or go on: marks, numbers at points and where the file lies are the client's to tell."""
        given, grid = self._arguments, self._info.grid
        client.open_session(self._session, self._spec.name, self._info)
        client.set_annotations(self._session, (), 1)
        if given.side is not None:
            names = tuple(given.fields.split(",")) if given.fields else self._spec.side.names
            client.set_side_information(self._session, 1, 2, read_side(given.side, names, grid))
        if given.marks is not None:
            client.set_annotations(self._session, read_marks(given.marks, grid, self._spec.classes), 3)
        share_file(client, self._session, grid, given.raster.resolve(), client.hello().roots, self._raster.read)


def make_at_server(arguments: argparse.Namespace) -> None:
    """The map of `arguments.raster`, made by the server at `arguments.server`."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as with Ctrl-C, and clean up
    spec = _model(arguments)
    with rasterio.Env(**GDAL_OPTIONS), open_raster(arguments.raster, spec, arguments.bands) as raster:
        gsd_m = arguments.gsd or raster.info.grid.gsd_m
        info = replace(raster.info, grid=replace(raster.info.grid, gsd_m=gsd_m))
        making = ServerMap(arguments, spec, raster, info)
        with output(arguments, raster, info, spec.classes, codec.encode(spec, [])) as written:
            for _ in opening.with_progress(making.make(written), "classify", "chunk"):
                pass


def _model(arguments: argparse.Namespace) -> ModelSpec:
    with closing(_connect(arguments)) as client:
        known = {spec.name: spec for spec in client.models() if spec.task == "map"}
    if arguments.model not in known:
        raise NotFound(f"The server has no model '{arguments.model}'.", f"It has {', '.join(known) or 'none'}.")
    spec, method = known[arguments.model], arguments.uncertainty[0]
    if method and method not in spec.uncertainty:
        raise ConfigError(f"'{spec.name}' has no uncertainty '{method}'.", f"It has {', '.join(spec.uncertainty)}.")
    return spec


def _connect(arguments: argparse.Namespace) -> Client:
    return Client(ZmqTransport(arguments.server, _keys(arguments.server_key, arguments.key)), "terrafine-predict")


def _keys(server: Optional[Path], own: Optional[Path]) -> Optional[ClientKeys]:
    if (server is None) != (own is None):
        raise ConfigError("A server that encrypts needs both --server-key and --key.")
    if server is None or own is None:
        return None
    return ClientKeys(server.read_text("ascii").strip(), keys.read_secret(Path(str(own).removesuffix(keys.SECRET))))


def _covered(chunk: Window, finished: frozenset[Window]) -> bool:
    return sum(window.pixels for window in finished if contains(chunk, window)) == chunk.pixels
