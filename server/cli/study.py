"""terrafine study: an experiment of the papers by its name, on whatever data is given."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Optional

import torch
from tqdm import tqdm

from terrafine.models.registry import ZOO
from terrafine.server.datasets import layouts
from terrafine.server.studies import report, study
from terrafine.server.studies.run import Place, fitted
from terrafine.server.studies.run import run as run_study
from terrafine.server.training.configuration import read_document
from terrafine.shared.errors import ConfigError

HELP = """\
Repeat a table or a figure of the papers: train what its rows need, let a simulated annotator click, write CSV, curves
and a page.

examples:
  terrafine study --list
  terrafine study fusion --data ~/data --out runs/fusion
  terrafine study fusion --on potsdam --data ~/potsdam --out runs/potsdam-fusion --seeds 5
  terrafine study my-study.toml --on my-city.toml --data . --out runs/mine

--on is a published data set (airs, deepglobe, inria, potsdam or zurich) or a training's configuration with [data]
test, the rasters to report on. A study that was stopped goes on where it was: run it again with the same --out.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="a study's name, or a TOML file that describes one")
    parser.add_argument("--list", action="store_true", help="list the studies there are")
    parser.add_argument("--on", metavar="NAME", help="model and data (default: those of landcover-rgb)")
    parser.add_argument("--data", type=Path, help="folder that the paths in that file are relative to")
    parser.add_argument("--out", type=Path, help="folder for models, results and the page")
    parser.add_argument("--model", default="", help="for studies of a finished model: of the zoo, or a folder")
    parser.add_argument("--seeds", type=int, help="repetitions of each row (default: the study's)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="CPU threads (all by default)")


def run(arguments: argparse.Namespace) -> int:
    if arguments.list:
        for name in study.names():
            print(f"{name:20} {study.find(name).title}")
        return 0
    if not arguments.name or not arguments.out:
        raise ConfigError("A study needs its name and --out.", "terrafine study --list says which there are.")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    wanted = study.changed(study.find(arguments.name), arguments.seeds)
    base = _base(arguments.on)
    root = arguments.data or Path(os.environ.get("TERRAFINE_DATA", base.parent))
    place = Place(read_document(base), root, arguments.out, arguments.device, _command(arguments))
    with _Bars() as bars:
        wanted = fitted(wanted, place, arguments.model, bars.show)
        for results in run_study(wanted, place, bars.show):
            report.write(wanted, results, place)
    print(f"The page is {arguments.out / report.PAGE}.")
    return 0


def _command(arguments: argparse.Namespace) -> str:
    """What was asked for, as the page repeats it; where the data is, is nobody else's business."""
    told = {"--on": arguments.on, "--model": arguments.model, "--seeds": arguments.seeds}
    options = " ".join(f"{option} {value}" for option, value in told.items() if value)
    return " ".join(["terrafine study", arguments.name, *([options] if options else []), "--data FOLDER --out FOLDER"])


def _base(name: Optional[str]) -> Path:
    """The configuration file of a published data set, or the file itself."""
    if name is None:
        return ZOO / "landcover-rgb" / "train.toml"
    published = layouts.CONFIGURATIONS / f"{name}.toml"
    return published if published.is_file() else Path(name)


class _Bars:
    """A bar for each training and each run of clicks, one after the other."""

    def __init__(self) -> None:
        self._words, self._bar = "", tqdm(disable=True)

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, words: str, done: int, total: int) -> None:
        if words != self._words:
            self._bar.close()
            pause = 0.1 if sys.stderr.isatty() else 30.0
            self._words, self._bar = words, tqdm(desc=words, initial=done - 1, total=total, mininterval=pause)
        self._bar.update(done - self._bar.n)
