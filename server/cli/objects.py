"""terrafine objects: boxes around things become their outlines."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from terrafine.server.cli import opening
from terrafine.shared.errors import ConfigError
from terrafine.shared.objects import Box, ObjectGuide

if TYPE_CHECKING:  # so that --help need not load torch
    from terrafine.models.objects.finder import ObjectFinder
    from terrafine.server.rasters.raster_io import Raster
    from terrafine.shared.messages import ObjectFound

HELP = """\
Turn a layer of boxes into the outlines of the objects in them (docs/methods/iog.md).

A box may be any feature: the rectangle around it counts, loosely drawn, with all of the object in it and the object in
its middle. The result has the boxes' attributes, and how sure the model is of each object: score, 0 to 1. Boxes in
which nothing was found, or that lie outside the raster, are left out and counted.

examples:
  terrafine objects image.tif boxes.gpkg buildings.gpkg
  terrafine objects image.tif boxes.geojson buildings.geojson --model objects-rgb
  terrafine objects sentinel.tif boxes.shp fields.gpkg --bands 4,3,2 --least-score 0.8
"""
MODEL = "objects-rgb"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("raster", type=Path, metavar="RASTER", help="any raster file that GDAL can read")
    parser.add_argument("boxes", type=Path, metavar="BOXES", help="a vector layer in any CRS")
    parser.add_argument("out", type=Path, metavar="OUT", help=".gpkg, .geojson or .shp; replaced if it is there")
    opening.add_model(parser, MODEL)
    parser.add_argument(
        "--least-score", type=float, default=0.0, metavar="SHARE", help="leave out what the model is less sure of"
    )


def run(arguments: argparse.Namespace) -> int:
    import numpy as np

    from terrafine.server.rasters.vectors import read_boxes, write_outlines

    if arguments.out.resolve() in (arguments.raster.resolve(), arguments.boxes.resolve()):
        raise ConfigError("What is read and what is written must be different files.")
    with opening.opened_finder(arguments) as (finder, raster):
        layer = read_boxes(arguments.boxes, raster.info.grid)
        items = opening.with_progress(_found(layer.boxes, finder, raster), "find", "object")
        found = {place: item for place, item in enumerate(items) if item and item.outline}
        kept = [place for place in found if found[place].score >= arguments.least_score]
        attributes = {name: values[kept] for name, values in layer.attributes.items()}
        attributes["score"] = np.array([found[place].score for place in kept])
        write_outlines(arguments.out, [found[place].outline for place in kept], attributes, raster.info.grid)
    print(f"{len(kept)} objects of {len(layer.boxes)} boxes are in {arguments.out}.")
    return 0


def _found(boxes: tuple[Optional[Box], ...], finder: ObjectFinder, raster: Raster) -> Iterator[Optional[ObjectFound]]:
    """What is in each box; None where it cannot be looked at."""
    from terrafine.server.engine import objects
    from terrafine.shared.errors import BadRequest

    places = list(range(len(finder.spec.bands)))
    for box in boxes:
        try:
            guide = ObjectGuide(box) if box is not None else None
            seen = objects.look(finder, guide, raster, raster.info, places) if guide else None
        except (BadRequest, ValueError):  # outside the raster, or of a size that no object has
            seen = None
        yield objects.answer(finder, guide, seen, raster, raster.info) if guide and seen else None
