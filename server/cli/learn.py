"""terrafine learn: retrain a model on marks."""

from __future__ import annotations

import argparse
from pathlib import Path

from terrafine.server.cli import opening
from terrafine.shared.errors import ConfigError
from terrafine.shared.learning import SCOPES, LearnOptions

HELP = f"""Retrain a model on marks that an analyst placed on a raster, and keep the result as a model of its own.

{opening.MARKS_HELP}

The folder OUT is written whole or not at all, and never over another; its card says where the model comes from.

examples:
  terrafine learn image.tif marks.gpkg my_models/banepa --model landcover-rgb
  terrafine learn image.tif marks.geojson my_models/banepa --model landcover-rgb --scope head
  terrafine learn image.tif marks.geojson my_models/solar --model landcover-rgb --new-class "solar panels"
  terrafine predict other.tif map.tif --model banepa --models my_models/
"""
FEATURES_BYTES = 1 << 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    suits = "default: what suits the scope"
    parser.add_argument("raster", type=Path, metavar="RASTER", help="any raster file that GDAL can read")
    parser.add_argument("marks", type=Path, metavar="MARKS", help="GeoPackage or GeoJSON")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the new model, whose name is the folder's")
    opening.add_arguments(parser)
    parser.add_argument("--title", default="", metavar="TEXT", help="of the new model, for people")
    parser.add_argument(
        "--new-class", action="append", default=[], metavar="NAME", help="a class that the model does not have yet"
    )
    parser.add_argument("--scope", choices=SCOPES, default="decoder", help="what may change (default: %(default)s)")
    parser.add_argument("--steps", type=int, metavar="N", help=f"gradient steps ({suits})")
    parser.add_argument("--rate", type=float, metavar="R", help=f"learning rate ({suits})")
    parser.add_argument(
        "--regularisation", type=float, default=1.0, metavar="L", help="what changes elsewhere cost (default: 1)"
    )


def run(arguments: argparse.Namespace) -> int:
    from terrafine.server.engine.learning import learn, saved
    from terrafine.server.model_card import card_of
    from terrafine.server.zoo import save_model

    options = _options(arguments)
    if arguments.out.exists():
        raise ConfigError(f"'{arguments.out}' is there already.", "Name another folder.")
    with opening.opened(arguments, FEATURES_BYTES, arguments.new_class) as (session, _):
        (learnt,) = opening.with_progress(learn(session, 1, 2, options), "learn", "step")
        predictor, spec = saved(session, arguments.out.name, arguments.title or f"{session.spec.title}, retrained")
        save_model(arguments.out, predictor, spec, card_of(session, spec))
    print(f"right on its own: {learnt.right_before:.0%} of the marked pixels before, {learnt.right_after:.0%} after")
    print(f"saved as '{spec.name}' in '{arguments.out}'")
    return 0


def _options(arguments: argparse.Namespace) -> LearnOptions:
    try:
        return LearnOptions(arguments.scope, arguments.steps, arguments.rate, arguments.regularisation)
    except ValueError as error:
        raise ConfigError(f"This cannot be learnt: {error}.") from error
