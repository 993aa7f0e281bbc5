"""What predict writes: patches as they are finished, for the next run of the same command and as GeoTIFFs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrafine.server.rasters.map_writer import Layer, MapWriter, check_place, remove_drafts
from terrafine.server.rasters.raster_io import Raster
from terrafine.server.rasters.work_file import WorkFile, stamp
from terrafine.shared import codec
from terrafine.shared.geo import Window
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import LandCover


class Output:
    """What is taken is written down and written out; `finished` was so by an earlier run."""

    def __init__(self, writers: Sequence[MapWriter], work: WorkFile) -> None:
        self._writers, self._work = writers, work
        for window, bands in work.pieces():
            self._write(window, bands)

    @property
    def finished(self) -> frozenset[Window]:
        return frozenset(self._work.finished)

    def take(self, window: Window, bands: NDArray[np.uint8]) -> None:
        """A finished patch, uint8 (bands, rows, columns)."""
        self._work.add(window, bands)
        self._write(window, bands)

    def _write(self, window: Window, bands: NDArray[np.uint8]) -> None:
        for writer, band in zip(self._writers, bands):
            writer.write(window, band)


@contextmanager
def output(
    arguments: argparse.Namespace,
    raster: Raster,
    info: RasterInfo,
    classes: Sequence[LandCover],
    model: Mapping[str, Any],
) -> Iterator[Output]:
    """The files are complete, under their names, once the context ends without an error.

    info   of the raster, as the model sees it
    model  in JSON's types, what tells it from another one of its name
    """
    files = {"raster": arguments.raster, "marks": arguments.marks, "side": arguments.side}
    run = {
        "files": {name: stamp(file) for name, file in files.items() if file is not None},
        "model": model,
        "raster": codec.encode(info, []),
        "fields": arguments.fields,
        "detail": arguments.detail,
        "uncertainty": arguments.uncertainty[0],
        "version": metadata.version("terrafine"),
    }
    doubt = Path(arguments.uncertainty[1]) if arguments.uncertainty[1] else None
    check_place(arguments.map)
    with WorkFile(arguments.map, run) as work, ExitStack() as writers:
        layers = {arguments.map: Layer("land cover", classes, arguments.made_of)}
        if doubt is not None:
            layers[doubt] = Layer("uncertainty", (), arguments.made_of)
        yield Output([_writer(writers, path, raster, layer) for path, layer in layers.items()], work)


def _writer(opened: ExitStack, path: Path, raster: Raster, layer: Layer) -> MapWriter:
    """A writer; what a run that was killed has left at `path` is removed."""
    remove_drafts(path)
    return opened.enter_context(MapWriter(path, raster.info.grid, raster.georeference, layer))
