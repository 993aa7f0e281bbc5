"""terrafine noc: how many clicks single objects take."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from terrafine.models import registry
from terrafine.models.objects import measure
from terrafine.models.objects.build import load_finder
from terrafine.models.objects.measure import BOX_CLICKS, Method, Trial
from terrafine.models.objects.samples import SceneObject
from terrafine.server.evaluation.grabcut import grabcut
from terrafine.server.training.configuration import read_config
from terrafine.server.training.objects import objects_in
from terrafine.server.training.scenes import load_scenes
from terrafine.shared.errors import ConfigError

HELP = """\
Count the clicks that single objects take: a simulated analyst draws a loose box, clicks deep inside, and then in the
middle of the largest mistake. The box and the first click count as three; models without a box begin with one.

examples:
  terrafine noc models/zoo/objects-rgb/train.toml --data ~/data --model objects-rgb
  terrafine noc docs/studies/objects/banepa.toml --data ~/data --model objects-rgb --grabcut --json banepa.json
  terrafine noc my-city.toml --data . --model runs/mine/model --clicks 20

The configuration is one that trains such a model; the objects are those in the images that [data] test names. NoC@85 is
the mean number of clicks until the IoU is 0.85, where objects that never get there count with the most clicks.
"""
TITLES = (
    "objects",
    "IoU@1",
    "IoU@3",
    "IoU@5",
    "IoU@{most}",
    "NoC@85",
    "failed",
    "NoC@90",
    "failed",
    "first s",
    "more s",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, help="TOML file, as for terrafine train")
    parser.add_argument("--data", type=Path, help="folder that the paths in the file are relative to")
    parser.add_argument("--model", action="append", default=[], metavar="NAME", help="a zoo model or a model folder")
    parser.add_argument("--grabcut", action="store_true", help="GrabCut, too")
    parser.add_argument("--clicks", type=int, default=10, help="the most clicks an object (default: 10)")
    parser.add_argument("--objects", type=int, default=0, metavar="N", help="so many, spread evenly (default: all)")
    parser.add_argument("--json", type=Path, help="write every object's figures there")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: as many as cores)")


def run(arguments: argparse.Namespace) -> int:
    if arguments.threads > 0:
        torch.set_num_threads(arguments.threads)
    targets = _targets(arguments)
    measured = {}
    for name, (method, first) in _methods(arguments).items():
        bar = tqdm(targets, desc=name, unit="object")
        measured[name] = [measure.measure(method, target, arguments.clicks, first) for target in bar]
    _print(measured, arguments.clicks)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({name: list(map(vars, trials)) for name, trials in measured.items()}))
    return 0


def _targets(arguments: argparse.Namespace) -> list[SceneObject]:
    config = read_config(arguments.config)
    if not config.data.test:
        raise ConfigError(f"'{arguments.config}' lacks [data] test, the images to report on.")
    root = arguments.data or Path(os.environ.get("TERRAFINE_DATA", arguments.config.parent))
    found = objects_in(config, load_scenes(config, root, config.data.test))
    count = min(arguments.objects or len(found), len(found))
    return [found[index * len(found) // count] for index in range(count)]


def _methods(arguments: argparse.Namespace) -> dict[str, tuple[Method, int]]:
    """What finds an object, and with how many clicks it begins, by name."""
    methods: dict[str, tuple[Method, int]] = {}
    for name in arguments.model:
        finder = load_finder(registry.find_or_open(name), arguments.device)
        methods[name] = measure.SceneFinder(finder), BOX_CLICKS if finder.view.box else 1
    if arguments.grabcut:
        methods["grabcut"] = grabcut, BOX_CLICKS
    if not methods:
        raise ConfigError("There is nothing to measure.", "Give --model or --grabcut.")
    return methods


def _print(measured: dict[str, list[Trial]], most: int) -> None:
    width = max(map(len, measured))
    print(" " * width, *(title.format(most=most).rjust(8) for title in TITLES))
    for name, trials in measured.items():
        values = measure.summary(trials, most)
        figures = [f"{len(trials)}"]
        figures += [f"{100 * values[f'iou_{count}']:.1f}" for count in (1, 3, 5, most)]
        for percent in (85, 90):
            figures += [f"{values[f'noc_{percent}']:.2f}", f"{100 * values[f'failed_{percent}']:.0f} %"]
        figures += [f"{seconds:.3f}" for seconds in _seconds(trials)]
        print(name.ljust(width), *(figure.rjust(8) for figure in figures))


def _seconds(trials: Sequence[Trial]) -> tuple[float, float]:
    """Median seconds of a first answer, and of a later one."""
    later = [seconds for trial in trials for seconds in trial.seconds[1:]]
    return float(np.median([trial.seconds[0] for trial in trials])), float(np.median(later)) if later else 0.0
