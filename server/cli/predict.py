"""terrafine predict: classify a raster file."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from terrafine.server.cli import opening
from terrafine.shared.errors import ConfigError
from terrafine.shared.patch import Patch
from terrafine.shared.spec import DETAILS, PLAIN

if TYPE_CHECKING:  # so that --help need not load torch
    from terrafine.server.engine.session import Session
    from terrafine.server.rasters.map_writer import MapWriter
    from terrafine.server.rasters.raster_io import Raster

HELP = f"""Classify a raster file into a GeoTIFF of classes: tiled, compressed, with colours, names and overviews.

The map lies exactly where the raster does; pixels without data are 255. After an error or Ctrl-C no file is left.

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
        _classify(session, method, arguments.detail, _outputs(outputs, raster, session, arguments.map, doubt))
    return 0


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


def _classify(session: Session, method: str, detail: str, writers: list[MapWriter]) -> None:
    from terrafine.server.engine import engine

    items = engine.predict(session, session.info.grid.window, method=method, detail=detail)
    for item in opening.with_progress(items, "classify", "patch"):
        if isinstance(item, Patch):
            for writer, band in zip(writers, item.array):
                writer.write(item.window, band)


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
