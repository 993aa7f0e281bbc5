"""terrafine predict: classify a raster file."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
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
from terrafine.shared.spec import DETAILS, PLAIN

if TYPE_CHECKING:  # so that --help need not load torch
    from terrafine.server.engine.session import Session
    from terrafine.server.rasters.map_writer import MapWriter
    from terrafine.server.rasters.raster_io import Raster
    from terrafine.server.rasters.work_file import WorkFile

HELP = f"""Classify a raster file into a GeoTIFF of classes: tiled, compressed, with colours, names and overviews.

The map lies exactly where the raster does; pixels without data are 255. After an error or Ctrl-C there is no map;
what was finished is in OUT.tif.part, and the same command goes on from there.

{opening.MARKS_HELP}

examples:
  terrafine predict image.tif map.tif --model NAME
  terrafine predict sentinel.tif map.tif --model NAME --bands 4,3,2
  terrafine predict scan.jpg map.tif --model NAME --gsd 0.3
  terrafine predict image.tif map.tif --model NAME --marks corrections.gpkg
  terrafine predict image.tif map.tif --model NAME --side photographs.gpkg --fields height,shade
  terrafine predict image.tif map.tif --model NAME --uncertainty entropy doubt.tif
  terrafine predict image.tif map.tif --model NAME --detail fine

terrafine models lists the names of the models there are; --json says which uncertainties each has, and whether it can
make a map of more detail: "fine" looks at the image again, twice as close, which takes several times as long; "fast"
does so only where the plain map is least sure (docs/methods/magnet.md).
"""
FEW_FEATURES_BYTES = 128 << 20  # of the tiles around the one at work, for what looks into the network twice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("raster", type=Path, metavar="RASTER", help="any raster file that GDAL can read")
    parser.add_argument("map", type=Path, metavar="OUT.tif", help="the map; replaced if it is there")
    opening.add_arguments(parser)
    parser.add_argument("--marks", type=Path, metavar="FILE", help="marks that the map obeys")
    parser.add_argument("--side", type=Path, metavar="FILE", help="points whose numbers the model is told")
    parser.add_argument(
        "--fields", metavar="A,B", help="attributes of the points, one a number that the model takes (default: its own)"
    )
    parser.add_argument("--detail", choices=DETAILS, default=PLAIN, help="how finely the map is drawn (default: plain)")
    parser.add_argument(
        "--uncertainty",
        nargs=2,
        default=("", None),
        metavar=("METHOD", "OUT.tif"),
        help="also write how unsure the model is, 0 to 254: entropy, margin, odin, …",
    )


def run(arguments: argparse.Namespace) -> int:
    method, doubt = arguments.uncertainty[0], arguments.uncertainty[1] and Path(arguments.uncertainty[1])
    _refuse_overwriting(arguments.raster, arguments.marks, arguments.side, arguments.map, doubt)
    features_bytes = FEW_FEATURES_BYTES if method or arguments.detail != PLAIN else 0
    with opening.opened(arguments, features_bytes) as (session, raster), ExitStack() as outputs:
        if arguments.side is not None:
            _tell(session, arguments.side, arguments.fields)
        work = outputs.enter_context(_work_file(arguments, session))
        _classify(session, method, arguments.detail, _outputs(outputs, raster, session, arguments.map, doubt), work)
    return 0


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
    for path in (arguments.map, arguments.uncertainty[1]):
        if path is not None:
            remove_drafts(Path(path))
    return work


def _outputs(
    opened: ExitStack, raster: Raster, session: Session, classes: Path, uncertainty: Optional[Path]
) -> list[MapWriter]:
    """A writer for each band that the engine returns."""
    from terrafine.server.rasters.map_writer import Layer, MapWriter

    grid, place = raster.info.grid, raster.georeference
    writers = [opened.enter_context(MapWriter(classes, grid, place, Layer("land cover", session.legend.classes)))]
    if uncertainty is not None:
        writers.append(opened.enter_context(MapWriter(uncertainty, grid, place, Layer("uncertainty"))))
    return writers


def _classify(session: Session, method: str, detail: str, writers: list[MapWriter], work: WorkFile) -> None:
    from terrafine.server.engine import engine

    for window, bands in work.pieces():
        _write(writers, window, bands)
    whole = session.info.grid.window
    items = engine.predict(session, whole, method=method, detail=detail, finished=frozenset(work.finished))
    for item in opening.with_progress(items, "classify", "patch"):
        if isinstance(item, Patch):
            work.add(item.window, item.array)
            _write(writers, item.window, item.array)


def _write(writers: list[MapWriter], window: Window, bands: NDArray[np.uint8]) -> None:
    for writer, band in zip(writers, bands):
        writer.write(window, band)


def _tell(session: Session, path: Path, fields: Optional[str]) -> None:
    """Let the model know what the points in a file say."""
    from terrafine.server.engine.side import set_side
    from terrafine.server.rasters.side_file import read_side

    if not session.spec.side.names:
        raise ConfigError(f"'{session.spec.name}' takes no side information.", "Leave out --side.")
    names = tuple(fields.split(",")) if fields else session.spec.side.names
    side = read_side(path, names, session.info.grid)
    set_side(session, session.log.revision, session.log.revision + 1, side)


def _refuse_overwriting(*files: Optional[Path]) -> None:
    """The raster is read while the map is written, and nobody wants to lose it."""
    paths = [path.resolve() for path in files if path is not None]
    if len(set(paths)) != len(paths):
        raise ConfigError("What is read and what is written must be different files.")
