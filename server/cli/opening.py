"""What predict, learn and rank have in common: a raster, a model, perhaps marks, and the session that they make."""

from __future__ import annotations

import argparse
import math
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # so that --help need not load torch
    from terrafine.models.objects.finder import ObjectFinder
    from terrafine.server.engine.session import Session
    from terrafine.server.rasters.raster_io import Raster
    from terrafine.shared.spec import LandCover

MARKS_HELP = """\
Marks are a GeoPackage that the QGIS plugin keeps beside its project, or GeoJSON: points, lines and polygons, each with
a class_id or a class_name, lines also with a width_px (in pixels of the raster); in longitude and latitude, or in the
CRS that the file names; on a raster without a CRS, in its pixels."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--gsd", type=_metres, metavar="METRES", help="size of a pixel on the ground, where the file is wrong"
    )


def add_model(parser: argparse.ArgumentParser, model: str = "") -> None:
    """`model` is the one by default; without, it has to be named."""
    words = f"name of a model (default: {model})" if model else "name of a model"
    parser.add_argument("--model", required=not model, default=model, metavar="NAME", help=words)
    parser.add_argument("--models", type=Path, action="append", default=[], metavar="DIR", help="more model folders")
    parser.add_argument("--device", default="", metavar="NAME", help="cpu, cuda or cuda:N (default: cuda if there)")
    parser.add_argument("--bands", type=_bands, default=(), metavar="R,G,B", help="bands of the file for the model's")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: as many as cores)")


def add_ray(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ray",
        default="",
        metavar="ADDRESS",
        help='compute on a Ray cluster: HOST:PORT of its head, "auto" on its nodes, or "local" (docs/cluster.md)',
    )
    parser.add_argument(
        "--ray-share",
        type=_share,
        default=1.0,
        metavar="F",
        help="of a GPU that an engine takes: 0.25 for four on each",
    )


@contextmanager
def opened(
    arguments: argparse.Namespace,
    features_bytes: int = 0,
    legend: Callable[[tuple[LandCover, ...]], tuple[LandCover, ...]] = tuple,
) -> Iterator[tuple[Session, Raster]]:
    """The session of `arguments.raster`, with the marks of `arguments.marks` if it is given; warnings are printed.

    features_bytes  may be kept of the tiles' features: few for work that goes through the raster once
    legend          what becomes of the model's classes
    """
    import rasterio
    import torch

    from terrafine.server.engine.caches import ByteLru
    from terrafine.server.engine.learning import with_legend
    from terrafine.server.engine.session import Caches, Session
    from terrafine.server.rasters.marks_file import read_marks
    from terrafine.server.rasters.raster_io import GDAL_OPTIONS, open_raster
    from terrafine.server.zoo import Zoo, known_folders

    if arguments.threads > 0:
        torch.set_num_threads(arguments.threads)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as with Ctrl-C, and clean up
    predictor = Zoo(known_folders(arguments.models), arguments.device).predictor(arguments.model)
    classes = legend(predictor.spec.classes)
    if classes != predictor.spec.classes:
        predictor = with_legend(predictor, classes)
    with rasterio.Env(**GDAL_OPTIONS), open_raster(arguments.raster, predictor.spec, arguments.bands) as raster:
        grid = replace(raster.info.grid, gsd_m=arguments.gsd) if arguments.gsd else raster.info.grid
        caches = Caches(features=ByteLru(features_bytes))
        session = Session(replace(raster.info, grid=grid), raster, predictor, caches)
        if arguments.marks is not None:
            session.replace(read_marks(arguments.marks, grid, predictor.spec.classes), 1)
        for warning in session.warnings:
            print(f"terrafine: warning: {warning}", file=sys.stderr)
        yield session, raster


@contextmanager
def opened_finder(arguments: argparse.Namespace) -> Iterator[tuple[ObjectFinder, Raster]]:
    """The model that finds objects, and `arguments.raster` as it wants it."""
    import rasterio
    import torch

    from terrafine.server.rasters.raster_io import GDAL_OPTIONS, open_raster
    from terrafine.server.zoo import Zoo, known_folders

    if arguments.threads > 0:
        torch.set_num_threads(arguments.threads)
    finder = Zoo(known_folders(arguments.models), arguments.device).finder(arguments.model)
    with rasterio.Env(**GDAL_OPTIONS), open_raster(arguments.raster, finder.spec, arguments.bands) as raster:
        yield finder, raster


def with_progress(items: Iterable[Any], name: str, unit: str) -> Iterator[Any]:
    """All but the Progress of what the engine yields, under a progress bar."""
    from tqdm import tqdm

    from terrafine.shared.messages import Progress

    with tqdm(desc=name, unit=unit, disable=None) as bar:
        for item in items:
            if isinstance(item, Progress):
                bar.total = item.total
                bar.update(item.done - bar.n)
            else:
                yield item


def _bands(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _metres(text: str) -> float:
    metres = float(text)
    if not 0 < metres < math.inf:
        raise ValueError(text)
    return metres


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share <= 1:
        raise ValueError(text)
    return share
