"""A map that predict is making: from what an earlier run of the same command finished of it to the GeoTIFF."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np
from numpy.typing import NDArray

from terrafine.server.cli import opening
from terrafine.shared.errors import ConfigError
from terrafine.shared.geo import Window
from terrafine.shared.messages import Progress
from terrafine.shared.patch import Patch
from terrafine.shared.spec import PLAIN

if TYPE_CHECKING:  # so that --help need not load torch
    from terrafine.server.cli.output import Output
    from terrafine.server.cluster.maps import MapJob
    from terrafine.server.engine.session import Session
    from terrafine.server.rasters.tiling import Tiling

PATCHES_A_TRIM = 16  # from one return of freed memory to the next
FEW_FEATURES_BYTES = 128 << 20  # of the tiles around the one at work, for what looks into the network twice


class MapInMaking:
    """The map of a raster that a session holds."""

    def __init__(self, arguments: argparse.Namespace, session: Session, output: Output) -> None:
        self._arguments, self._session, self._output = arguments, session, output

    @property
    def finished(self) -> frozenset[Window]:
        """Windows that an earlier run has made, or that were taken since."""
        return self._output.finished

    @cached_property
    def lattice(self) -> Tiling:
        """Where the tiles lie that the map is made of."""
        from terrafine.server.engine.detail import runner_of
        from terrafine.server.engine.work import Work

        return runner_of(self._session, Work(), self._arguments.detail).lattice

    @cached_property
    def job(self) -> MapJob:
        """What an engine on another machine has to know to make it."""
        from terrafine.server.cluster.maps import MapJob

        given, session = self._arguments, self._session
        raster = given.raster.absolute()  # not what a link leads to: the files beside it may be others there
        return MapJob(
            raster, session.info, given.model, tuple(folder.resolve() for folder in given.models),
            session.log.marks, session.side, given.uncertainty[0], given.detail, _features_bytes(given),
        )  # fmt: skip

    def make(self) -> None:
        """Make all of the map in this process."""
        from terrafine.server.engine import engine, memory

        given, whole = self._arguments, self._session.info.grid.window
        method, finished = given.uncertainty[0], self.finished
        items = engine.predict(self._session, whole, method=method, detail=given.detail, finished=finished)
        for item in opening.with_progress(items, "classify", "patch"):
            if isinstance(item, Patch):
                self.take(item.window, item.array)
            elif isinstance(item, Progress) and item.done % PATCHES_A_TRIM == 0:
                memory.give_back()

    def take(self, window: Window, bands: NDArray[np.uint8]) -> None:
        """A finished patch, uint8 (bands, rows, columns)."""
        self._output.take(window, bands)


@contextmanager
def in_making(arguments: argparse.Namespace) -> Iterator[MapInMaking]:
    """The map of `arguments.raster`; it is complete, under its name, once the context ends without an error."""
    from terrafine.server.cli.output import output

    with opening.opened(arguments, _features_bytes(arguments)) as (session, raster):
        if arguments.side is not None:
            _tell(session, arguments.side, arguments.fields)
        with output(arguments, raster, session.info, session.legend.classes, _model(arguments)) as written:
            yield MapInMaking(arguments, session, written)


def made_of(arguments: argparse.Namespace) -> str:
    """Tells the map that this command makes from those of others, and of files that have changed."""
    from terrafine.server.rasters.work_file import stamp

    files = [file for file in (arguments.raster, arguments.marks, arguments.side) if file is not None]
    model = {} if arguments.server else _model(arguments)
    options = {name: getattr(arguments, name) for name in ("model", "bands", "gsd", "fields", "detail")}
    told = [[stamp(file) for file in files], model, options, arguments.uncertainty[0], metadata.version("terrafine")]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _features_bytes(arguments: argparse.Namespace) -> int:
    twice = arguments.uncertainty[0] or (arguments.detail != PLAIN and arguments.marks is not None)
    return FEW_FEATURES_BYTES if twice else 0


def _model(arguments: argparse.Namespace) -> dict[str, str]:
    """What tells the model's files from later ones of the same name."""
    from terrafine.models import registry
    from terrafine.server.rasters.work_file import stamp
    from terrafine.server.zoo import known_folders

    folder = registry.find(arguments.model, known_folders(arguments.models))
    return {file.name: stamp(file) for file in folder.iterdir()}


def _tell(session: Session, path: Path, fields: Optional[str]) -> None:
    """Let the model know what the points in a file say."""
    from terrafine.server.engine.side import set_side
    from terrafine.server.rasters.side_file import read_side

    if not session.spec.side.names:
        raise ConfigError(f"'{session.spec.name}' takes no side information.", "Leave out --side.")
    names = tuple(fields.split(",")) if fields else session.spec.side.names
    side = read_side(path, names, session.info.grid)
    set_side(session, session.log.revision, session.log.revision + 1, side)
