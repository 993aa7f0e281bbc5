"""A map that predict is making: from what an earlier run of the same command finished of it to the GeoTIFF."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np
from numpy.typing import NDArray

from terrafine.server.cli import opening
from terrafine.shared import codec
from terrafine.shared.errors import ConfigError
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch
from terrafine.shared.spec import PLAIN

if TYPE_CHECKING:  # so that --help need not load torch
    from terrafine.server.cluster.maps import MapJob
    from terrafine.server.engine.session import Session
    from terrafine.server.rasters.map_writer import MapWriter
    from terrafine.server.rasters.raster_io import Raster
    from terrafine.server.rasters.tiling import Tiling
    from terrafine.server.rasters.work_file import WorkFile

FEW_FEATURES_BYTES = 128 << 20  # of the tiles around the one at work, for what looks into the network twice


class MapInMaking:
    """What is taken is written down and written out; `finished` was so by an earlier run."""

    def __init__(
        self, arguments: argparse.Namespace, session: Session, writers: list[MapWriter], work: WorkFile
    ) -> None:
        self._arguments, self._session, self._writers, self._work = arguments, session, writers, work
        for window, bands in work.pieces():
            self._write(window, bands)

    @property
    def finished(self) -> frozenset[Window]:
        return frozenset(self._work.finished)

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
        return MapJob(
            given.raster.resolve(), session.info, given.model, tuple(folder.resolve() for folder in given.models),
            session.log.marks, session.side, given.uncertainty[0], given.detail, _features_bytes(given),
        )  # fmt: skip

    def make(self) -> None:
        """All of it, here."""
        from terrafine.server.engine import engine

        given, whole = self._arguments, self._session.info.grid.window
        method, finished = given.uncertainty[0], self.finished
        items = engine.predict(self._session, whole, method=method, detail=given.detail, finished=finished)
        for item in opening.with_progress(items, "classify", "patch"):
            if isinstance(item, Patch):
                self.take(item.window, item.array)

    def take(self, window: Window, bands: NDArray[np.uint8]) -> None:
        """A finished patch, uint8 (bands, rows, columns)."""
        self._work.add(window, bands)
        self._write(window, bands)

    def _write(self, window: Window, bands: NDArray[np.uint8]) -> None:
        for writer, band in zip(self._writers, bands):
            writer.write(window, band)


@contextmanager
def in_making(arguments: argparse.Namespace) -> Iterator[MapInMaking]:
    """The map of `arguments.raster`; it is complete, under its name, once the context ends without an error."""
    with opening.opened(arguments, _features_bytes(arguments)) as (session, raster), ExitStack() as outputs:
        if arguments.side is not None:
            _tell(session, arguments.side, arguments.fields)
        work = outputs.enter_context(_work_file(arguments, session))
        writers = _writers(outputs, raster, session, arguments.map, _uncertainty(arguments))
        yield MapInMaking(arguments, session, writers, work)


def _features_bytes(arguments: argparse.Namespace) -> int:
    return FEW_FEATURES_BYTES if arguments.uncertainty[0] or arguments.detail != PLAIN else 0


def _uncertainty(arguments: argparse.Namespace) -> Optional[Path]:
    return Path(arguments.uncertainty[1]) if arguments.uncertainty[1] else None


def _work_file(arguments: argparse.Namespace, session: Session) -> WorkFile:
    """What an earlier run of the same command may have finished."""
    from terrafine.models import registry
    from terrafine.server.rasters.map_writer import check_place, remove_drafts
    from terrafine.server.rasters.work_file import WorkFile, stamp
    from terrafine.server.zoo import known_folders

    model = registry.find(arguments.model, known_folders(arguments.models))
    files = {"raster": arguments.raster, "marks": arguments.marks, "side": arguments.side}
    files |= {file.name: file for file in model.iterdir()}
    run = {
        "files": {name: stamp(file) for name, file in files.items() if file is not None},
        "raster": codec.encode(session.info, []),
        "fields": arguments.fields,
        "detail": arguments.detail,
        "uncertainty": arguments.uncertainty[0],
        "version": metadata.version("terrafine"),
    }
    check_place(arguments.map)
    work = WorkFile(arguments.map, run)
    for path in (arguments.map, _uncertainty(arguments)):
        if path is not None:
            remove_drafts(path)
    return work


def _writers(
    opened: ExitStack, raster: Raster, session: Session, classes: Path, uncertainty: Optional[Path]
) -> list[MapWriter]:
    """A writer for each band that the engine returns."""
    from terrafine.server.rasters.map_writer import Layer, MapWriter

    grid, place = raster.info.grid, raster.georeference
    writers = [opened.enter_context(MapWriter(classes, grid, place, Layer("land cover", session.legend.classes)))]
    if uncertainty is not None:
        writers.append(opened.enter_context(MapWriter(uncertainty, grid, place, Layer("uncertainty"))))
    return writers


def _tell(session: Session, path: Path, fields: Optional[str]) -> None:
    """Let the model know what the points in a file say."""
    from terrafine.server.engine.side import set_side
    from terrafine.server.rasters.side_file import read_side

    if not session.spec.side.names:
        raise ConfigError(f"'{session.spec.name}' takes no side information.", "Leave out --side.")
    names = tuple(fields.split(",")) if fields else session.spec.side.names
    side = read_side(path, names, session.info.grid)
    set_side(session, session.log.revision, session.log.revision + 1, side)
