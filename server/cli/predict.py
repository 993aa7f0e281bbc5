"""terrafine predict: classify a raster file."""

from __future__ import annotations

import argparse
import math
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from terrafine.shared.errors import ConfigError
from terrafine.shared.messages import Progress
from terrafine.shared.patch import Patch

if TYPE_CHECKING:  # so that --help need not load torch
    from terrafine.models.infer import Predictor
    from terrafine.server.map_writer import MapWriter
    from terrafine.server.raster_io import Raster
    from terrafine.server.session import Session
    from terrafine.shared.spec import ModelSpec

HELP = """Classify a raster file into a GeoTIFF of classes: tiled, compressed, with colours, names and overviews.

The map lies exactly where the raster does; pixels without data are 255. After an error or Ctrl-C no file is left.

examples:
  terrafine predict image.tif map.tif --model NAME
  terrafine predict sentinel.tif map.tif --model NAME --bands 4,3,2
  terrafine predict scan.jpg map.tif --model NAME --gsd 0.3
  terrafine predict image.tif map.tif --model NAME --uncertainty doubt.tif

terrafine models lists the names of the models there are.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("raster", type=Path, metavar="RASTER", help="any raster file that GDAL can read")
    parser.add_argument("map", type=Path, metavar="OUT.tif", help="the map; replaced if it is there")
    parser.add_argument("--model", required=True, metavar="NAME", help="name of a model")
    parser.add_argument("--models", type=Path, action="append", default=[], metavar="DIR", help="more model folders")
    parser.add_argument("--device", default="", metavar="NAME", help="cpu, cuda or cuda:N (default: cuda if there)")
    parser.add_argument("--bands", type=_bands, default=(), metavar="R,G,B", help="bands of the file for the model's")
    parser.add_argument(
        "--gsd", type=_metres, metavar="METRES", help="size of a pixel on the ground, where the file is wrong"
    )
    parser.add_argument(
        "--uncertainty", type=Path, metavar="OUT.tif", help="also write how unsure the model is, 0 to 254"
    )
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: as many as cores)")


def run(arguments: argparse.Namespace) -> int:
    import rasterio
    import torch

    from terrafine.server.raster_io import GDAL_OPTIONS, open_raster
    from terrafine.server.zoo import Zoo

    if arguments.threads > 0:
        torch.set_num_threads(arguments.threads)
    _refuse_overwriting(arguments.raster, arguments.map, arguments.uncertainty)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as with Ctrl-C, and clean up
    predictor = Zoo(arguments.models, arguments.device).predictor(arguments.model)
    with rasterio.Env(**GDAL_OPTIONS), open_raster(arguments.raster, predictor.spec, arguments.bands) as raster:
        session = _session(raster, predictor, arguments.gsd)
        with ExitStack() as outputs:
            _classify(session, _outputs(outputs, raster, session.spec, arguments.map, arguments.uncertainty))
    return 0


def _session(raster: Raster, predictor: Predictor, gsd_m: Optional[float]) -> Session:
    from terrafine.server.caches import ByteLru
    from terrafine.server.session import Caches, Session

    grid = replace(raster.info.grid, gsd_m=gsd_m) if gsd_m else raster.info.grid
    session = Session(replace(raster.info, grid=grid), raster, predictor, Caches(features=ByteLru(0)))
    for warning in session.warnings:
        print(f"terrafine: warning: {warning}", file=sys.stderr)
    return session


def _outputs(
    opened: ExitStack, raster: Raster, spec: ModelSpec, classes: Path, uncertainty: Optional[Path]
) -> list[MapWriter]:
    """A writer for each band that the engine returns."""
    from terrafine.server.map_writer import Layer, MapWriter

    grid, place = raster.info.grid, raster.georeference
    writers = [opened.enter_context(MapWriter(classes, grid, place, Layer("land cover", spec.classes)))]
    if uncertainty is not None:
        writers.append(opened.enter_context(MapWriter(uncertainty, grid, place, Layer("uncertainty"))))
    return writers


def _classify(session: Session, writers: Sequence[MapWriter]) -> None:
    from tqdm import tqdm

    from terrafine.server import engine

    with tqdm(desc="classify", unit="patch", disable=None) as bar:
        for item in engine.predict(session, session.info.grid.window, method="entropy" if len(writers) > 1 else ""):
            if isinstance(item, Patch):
                for writer, band in zip(writers, item.array):
                    writer.write(item.window, band)
            elif isinstance(item, Progress):
                bar.total = item.total
                bar.update(item.done - bar.n)


def _refuse_overwriting(raster: Path, *outputs: Optional[Path]) -> None:
    """The raster is read while the map is written, and nobody wants to lose it."""
    paths = [path.resolve() for path in (raster, *outputs) if path is not None]
    if len(set(paths)) != len(paths):
        raise ConfigError("The raster and what is written must be different files.")


def _bands(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _metres(text: str) -> float:
    metres = float(text)
    if not 0 < metres < math.inf:
        raise ValueError(text)
    return metres
