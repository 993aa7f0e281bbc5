"""Train what a study lacks, measure it, and keep every result: whatever is stopped goes on where it was."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.server.evaluate import Curve, annotate, load_subject, summarise
from terrafine.server.studies.study import Row, Study, merged, settings
from terrafine.server.training import TrainingConfig, pairs, parse
from terrafine.server.training_run import MODEL, train
from terrafine.shared.errors import ConfigError

SETTINGS, RESULT = "settings.json", "result.json"
Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


@dataclass(frozen=True)
class Place:
    """Where a study happens: the base configuration's tables, the data, the folder for what comes out, the device."""

    base: Mapping[str, Any]
    data: Path
    out: Path
    device: str = "cpu"


@dataclass(frozen=True)
class Result:
    """What one row came to with one seed.

    curves   values after 0, 1, … clicks: "miou", "accuracy", "iou NAME", "seconds" (of all clicks so far), …
    images   names of the rasters that were annotated
    machine  and date, on which it was measured
    """

    row: str
    seed: int
    curves: dict[str, list[float]]
    images: list[str]
    machine: str
    date: str


def run(study: Study, place: Place, progress: Progress) -> Iterator[list[Result]]:
    """Yields all results so far whenever there is one more: all rows with the first seed, then with the next."""
    results: list[Result] = []
    for seed in range(1, study.seeds + 1):
        for row in study.rows:
            results.append(_result(study, row, seed, place, progress))
            yield results


def _result(study: Study, row: Row, seed: int, place: Place, progress: Progress) -> Result:
    folder = place.out / _slug(row.name) / f"seed{seed}"
    document = merged(merged(place.base, row.changes), {"training": {"seed": seed}})
    _claim(folder, {"configuration": document, **settings(study, row)})
    path = folder / RESULT
    if not path.exists():
        config = parse(document, f"{study.name}, {row.name}")
        words = f"{row.name}, seed {seed}"
        _train(config, folder, place, f"{words}: training", progress)
        result = _measured(study, row, seed, config, folder, place, f"{words}: clicks", progress)
        _write(path, dataclasses.asdict(result))
    return Result(**json.loads(path.read_text("utf-8")))


def _claim(folder: Path, wanted: Mapping[str, Any]) -> None:
    """Results of other settings must not be taken for those of these."""
    path, wanted = folder / SETTINGS, json.loads(json.dumps(wanted))
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write(path, wanted)
    elif json.loads(path.read_text("utf-8")) != wanted:
        raise ConfigError(f"'{folder}' holds results of other settings.", "Choose another --out, or delete it.")


def _train(config: TrainingConfig, folder: Path, place: Place, words: str, progress: Progress) -> None:
    for step, _ in train(config, place.data, folder, place.device, resume=True):
        progress(words, step, config.training.steps)


def _measured(
    study: Study, row: Row, seed: int, config: TrainingConfig, folder: Path, place: Place, words: str,
    progress: Progress,
) -> Result:  # fmt: skip
    spec, network = registry.load(folder / MODEL)
    predictor = Predictor(spec, network, place.device)
    found = pairs(config, place.data, config.data.test)
    runs, done = [], 0
    for index, (image, labels) in enumerate(found):
        subject = load_subject(image, labels, spec, config.data.labels_kind, config.data.gsd_m)
        steps = []
        for step in annotate(subject, predictor, study.clicks, row.annotator, np.random.default_rng((seed, index))):
            steps.append(step)
            done += 1
            progress(words, done, len(found) * (study.clicks + 1))
        runs.append(steps)
    curve = summarise(runs, config.data.counted or len(spec.classes))
    names = [entry.name for entry in spec.classes]
    today = datetime.datetime.now().astimezone().date().isoformat()
    return Result(row.name, seed, curves(curve, names), [image.stem for image, _ in found], machine(), today)


def curves(curve: Curve, classes: list[str]) -> dict[str, list[float]]:
    """A Curve as lists by name; pixels corrected and broken are means over the rasters, of each click."""
    clicks = {"corrected": curve.corrected.mean(0), "broken": curve.broken.mean(0)}
    return {
        "miou": curve.miou.tolist(),
        "miou without marked pixels": curve.unmarked_miou.tolist(),
        "accuracy": curve.accuracy.mean(0).tolist(),
        "seconds": np.r_[0.0, curve.seconds[:, 1:].mean(0)].cumsum().tolist(),
        **{name: [0.0, *values.tolist()] for name, values in clicks.items()},
        **{f"iou {name}": curve.class_iou[:, index].tolist() for index, name in enumerate(classes)},
    }


def machine() -> str:
    """The machine that figures were measured on, in words."""
    kind = platform.processor() or platform.machine()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{kind}, {os.cpu_count()} cores, {device}, torch {torch.__version__}"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _write(path: Path, content: object) -> None:
    """JSON under its final name only when it is whole."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    unfinished.replace(path)
