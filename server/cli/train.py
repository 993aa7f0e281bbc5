"""terrafine train: a configuration file and a folder of rasters become a model folder."""

from __future__ import annotations

import argparse
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import torch
from tqdm import tqdm

from terrafine.server.training.beside import train_confidence, train_refiner
from terrafine.server.training.configuration import read_config
from terrafine.server.training.log import CURVES, LOG
from terrafine.server.training.run import MODEL, train
from terrafine.shared.errors import ConfigError

HELP = """\
Train a network on image and label rasters: one that classifies and listens to marks, or, with task = "object" in the
file, one that finds single objects from a box and clicks.

examples:
  terrafine train models/zoo/landcover-rgb/train.toml --data ~/data --out runs/landcover
  terrafine train my-city.toml --data . --out runs/my-city --device cuda
  terrafine train models/zoo/objects-rgb/train.toml --data ~/data --out runs/objects
  terrafine train my-city.toml --data . --out runs/my-city --resume
  terrafine train finer.toml --data . --out runs/finer --start-from runs/my-city/model
  terrafine train my-city.toml --data . --confidence runs/my-city/model
  terrafine train my-city.toml --data . --refiner runs/my-city/model

The folder given with --out receives model/ (for `terrafine serve --models`), log.csv, curves.png and the checkpoint
from which --resume goes on. With [training] patience = N in the file, the weights that do best with clicks on the
validation images are kept, and training ends when N validations in a row have found none better.

With --confidence a trained model gets a ConfidNet, which makes "confidnet" one of its measures of uncertainty; with
--refiner it gets a refinement module, which makes maps of more detail. Nothing else of it changes. --data defaults to
$TERRAFINE_DATA, then to the configuration file's folder.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, help="TOML file; models/zoo/landcover-rgb/train.toml is an example")
    parser.add_argument("--data", type=Path, help="folder that the paths in the file are relative to")
    aim = parser.add_mutually_exclusive_group(required=True)
    aim.add_argument("--out", type=Path, help="folder for the model, the log and the checkpoint")
    aim.add_argument("--confidence", type=Path, metavar="DIR", help="train a ConfidNet for this model folder instead")
    aim.add_argument("--refiner", type=Path, metavar="DIR", help="train a refinement module for this model instead")
    parser.add_argument("--start-from", type=Path, metavar="DIR", help="begin with the weights of this model folder")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from the checkpoint in --out, or with --confidence or --refiner in the model's folder",
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="CPU threads (all by default)")


def run(arguments: argparse.Namespace) -> int:
    _check_usable(arguments.device)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    config = read_config(arguments.config)
    root = arguments.data or Path(os.environ.get("TERRAFINE_DATA", arguments.config.parent))
    if arguments.confidence is not None:
        beside = train_confidence(config, root, arguments.confidence, arguments.device, arguments.resume)
        return _train_beside(beside, "the uncertainty confidnet")
    if arguments.refiner is not None:
        beside = train_refiner(config, root, arguments.refiner, arguments.device, arguments.resume)
        return _train_beside(beside, "maps of more detail")
    if (arguments.out / LOG).exists() and not arguments.resume:
        hint = "Go on with --resume, or choose another --out."
        raise ConfigError(f"'{arguments.out}' holds a training already.", hint)
    steps = train(config, root, arguments.out, arguments.device, arguments.start_from, arguments.resume)
    with tqdm(total=config.training.steps, unit="step") as bar:
        for step, values in steps:
            bar.update(step - bar.n)
            bar.set_postfix({name: f"{value:.3f}" for name, value in values.items()})
    print(f"The model is in {arguments.out / MODEL}; its curves are in {arguments.out / CURVES}.")
    return 0


def _train_beside(steps: Iterator[tuple[int, int, float]], gain: str) -> int:
    """Train what goes with a model that stays as it is."""
    with tqdm(unit="step") as bar:
        for step, total, loss in steps:
            bar.total = total
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{loss:.4f}")
    print(f"The model offers {gain} now.")
    return 0


def _check_usable(device: str) -> None:
    """Better now than after hours."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError("There is no CUDA device here.", "Use --device cpu.")
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError("The curves are drawn with matplotlib, which is missing.", "pip install 'terrafine[train]'")
