"""terrafine uncertainty: how unsure a model is, as a raster of its own."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from terrafine.server.cli import opening
from terrafine.shared.errors import ConfigError
from terrafine.shared.learning import MOST_FACTOR

HELP = f"""Write how unsure a model is of each pixel of a raster, or of each square of so many pixels a side.

OUT.tif holds bytes, 0 (sure) to 254, which GIS read as 0 to 1; 255 is no data.
"terrafine predict --uncertainty" writes it at full resolution, beside the map.

{opening.MARKS_HELP}

examples:
  terrafine uncertainty image.tif doubt.tif --model NAME
  terrafine uncertainty image.tif doubt.tif --model NAME --factor 8
  terrafine uncertainty image.tif doubt.tif --model NAME --method odin --marks marks.gpkg

terrafine models NAME --json says which methods a model has.
"""
FEW_FEATURES_BYTES = 128 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("raster", type=Path, metavar="RASTER", help="any raster file that GDAL can read")
    parser.add_argument("out", type=Path, metavar="OUT.tif", help="replaced if it is there")
    opening.add_arguments(parser)
    parser.add_argument("--marks", type=Path, metavar="FILE", help="marks that the map obeys")
    parser.add_argument("--method", default="entropy", metavar="METHOD", help="(default: %(default)s)")
    parser.add_argument(
        "--factor", type=int, default=1, metavar="N", help="means over squares of N × N pixels (default: 1)"
    )


def run(arguments: argparse.Namespace) -> int:
    from terrafine.server.engine.uncertainty import measure
    from terrafine.server.rasters.map_writer import Layer, MapWriter
    from terrafine.shared.patch import Patch

    _check(arguments)
    with opening.opened(arguments, FEW_FEATURES_BYTES) as (session, raster):
        whole, factor = session.info.grid.window, arguments.factor
        size = {"width": -(-whole.width // factor), "height": -(-whole.height // factor)}
        grid, place = replace(session.info.grid, **size), raster.georeference.thinned(factor)
        items = measure(session, whole, arguments.method, factor)
        with MapWriter(arguments.out, grid, place, Layer("uncertainty")) as writer:
            for item in opening.with_progress(items, "measure", "part"):
                if isinstance(item, Patch):
                    writer.write(item.window, item.array[0])
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if not 1 <= arguments.factor <= MOST_FACTOR:
        raise ConfigError(f"A square has 1 to {MOST_FACTOR} pixels a side, not {arguments.factor}.", "Check --factor.")
    read = [file.resolve() for file in (arguments.raster, arguments.marks) if file is not None]
    if arguments.out.resolve() in read:
        raise ConfigError("What is read and what is written must be different files.")
