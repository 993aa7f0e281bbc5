"""terrafine learn: retrain a model on marks."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from terrafine.server.cli import opening
from terrafine.shared.errors import ConfigError
from terrafine.shared.learning import SCOPES, LearnOptions

if TYPE_CHECKING:
    from terrafine.shared.spec import LandCover

HELP = f"""Retrain a model on marks that an analyst placed on a raster, and keep the result as a model of its own.

{opening.MARKS_HELP}

The folder OUT is written whole or not at all, and never over another; its card says where the model comes from.

What learns by --scope:
  head     what each class looks like in this scene: at once, and best on this raster and others like it (a model
           without a layer for that learns its last one)
  decoder  all but the image features: slower, and forgets least of what it knew elsewhere
  all      also the image features: slow, for another sensor or landscape and many marks
A model that starts from nothing grows its forest anew from all marks, whatever the options.

With --classes the legend is one of your own: classes that the model knows by the same name go on, it learns the others.

examples:
  terrafine learn image.tif marks.gpkg my_models/banepa --model landcover-rgb
  terrafine learn image.tif marks.geojson my_models/banepa --model landcover-rgb --scope head
  terrafine learn image.tif marks.geojson my_models/solar --model landcover-rgb --new-class "solar panels"
  terrafine learn image.tif marks.geojson my_models/shore --model pixels --classes reeds,water,sand
  terrafine predict other.tif map.tif --model banepa --models my_models/
"""
FEATURES_BYTES = 1 << 30
RETRAINED = ", retrained"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    suits = "default: what suits the scope"
    parser.add_argument("raster", type=Path, metavar="RASTER", help="any raster file that GDAL can read")
    parser.add_argument("marks", type=Path, metavar="MARKS", help="GeoPackage or GeoJSON")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the new model, whose name is the folder's")
    opening.add_arguments(parser)
    parser.add_argument("--title", default="", metavar="TEXT", help="of the new model, for people")
    classes = parser.add_mutually_exclusive_group()
    classes.add_argument(
        "--new-class", action="append", default=[], metavar="NAME", help="a class that the model does not have yet"
    )
    classes.add_argument("--classes", type=_names, default=(), metavar="A,B,…", help="a legend of these classes alone")
    parser.add_argument("--scope", choices=SCOPES, default="decoder", help="what may change (default: %(default)s)")
    parser.add_argument("--steps", type=int, metavar="N", help=f"gradient steps ({suits})")
    parser.add_argument("--rate", type=float, metavar="R", help=f"learning rate ({suits})")
    parser.add_argument(
        "--regularisation", type=float, default=1.0, metavar="L", help="what changes elsewhere cost (default: 1)"
    )


def run(arguments: argparse.Namespace) -> int:
    from terrafine.server.engine.learning import learn, saved
    from terrafine.server.model_card import card_of
    from terrafine.server.zoo import check_name, save_model

    options = _options(arguments)
    check_name(arguments.out.name)
    if arguments.out.exists():
        raise ConfigError(f"'{arguments.out}' is there already.", "Name another folder.")
    with opening.opened(arguments, FEATURES_BYTES, partial(_legend, arguments)) as (session, _):
        (learnt,) = opening.with_progress(learn(session, 1, 2, options), "learn", "step")
        predictor, spec = saved(session, arguments.out.name, arguments.title or _title(session.spec.title))
        save_model(arguments.out, predictor, spec, card_of(session, spec))
    print(f"right on its own: {learnt.right_before:.0%} of the marked pixels before, {learnt.right_after:.0%} after")
    print(f"saved as '{spec.name}' in '{arguments.out}'")
    return 0


def _legend(arguments: argparse.Namespace, classes: tuple[LandCover, ...]) -> tuple[LandCover, ...]:
    from terrafine.server.engine.legend import grown, own

    return own(classes, arguments.classes) if arguments.classes else grown(classes, arguments.new_class)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ValueError(text)
    return names


def _title(before: str) -> str:
    return before if before.endswith(RETRAINED) else before + RETRAINED


def _options(arguments: argparse.Namespace) -> LearnOptions:
    try:
        return LearnOptions(arguments.scope, arguments.steps, arguments.rate, arguments.regularisation)
    except ValueError as error:
        raise ConfigError(f"This cannot be learnt: {error}.") from error
