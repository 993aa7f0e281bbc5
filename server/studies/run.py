"""Train what a study lacks, measure it, and keep every result: whatever is stopped goes on where it was."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terrafine.models import registry
from terrafine.server import machine
from terrafine.server.engine.learning import with_legend
from terrafine.server.studies import kinds
from terrafine.server.studies.study import Row, Study, changed, merged, settings
from terrafine.server.studies.task import Task
from terrafine.server.training.configuration import data_options, parse
from terrafine.server.training.run import MODEL, train
from terrafine.server.training.scenes import pairs
from terrafine.shared.errors import ConfigError

SETTINGS, RESULT = "settings.json", "result.json"
OWN = "own"  # the folder of a model that is trained because no finished one knows the data's classes
Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


@dataclass(frozen=True)
class Place:
    """Where a study happens: the base configuration's tables, the data, the folder for what comes out, the device, and
    the command that asked for it.
    """

    base: Mapping[str, Any]
    data: Path
    out: Path
    device: str = "cpu"
    command: str = ""


@dataclass(frozen=True)
class Result:
    """What one row came to with one seed.

    x        clicks, or patches, at which the curves have their values
    curves   "miou", "accuracy", "iou NAME", "seconds" (of all changes so far), …
    figures  single numbers: "ece", "auroc entropy", …
    images   names of the rasters that were reported on
    machine  and date, on which it was measured
    """

    row: str
    seed: int
    x: list[float]
    curves: dict[str, list[float]]
    figures: dict[str, float]
    images: list[str]
    machine: str
    date: str


def fitted(study: Study, place: Place, model: str, progress: Progress) -> Study:
    """The study with finished models that know the classes of `place.base`, and the rows that these can do.

    Those that the study names are kept where they know them; else one is trained as the configuration says. A row that
    goes by a measure of uncertainty which its model does not offer is left out.

    model  what is asked for instead; "": nothing. Raises ConfigError where its classes are others
    """
    asked = changed(study, weights=model)
    if not all(_knows_the_classes(row, place) for row in asked.rows):
        if model:
            raise ConfigError(f"'{model}' has other classes than the data.", "Without --model one is trained on them.")
        own = _trained(place.base, place.out / OWN, place, "the data's own model", progress)
        asked = changed(study, weights=str(own))
    return dataclasses.replace(asked, rows=tuple(row for row in asked.rows if _offers_the_measure(row)))


def _knows_the_classes(row: Row, place: Place) -> bool:
    """Whether a row's finished model has the configuration's classes, if that has any and does not translate them."""
    model, expected = row.legend or row.weights, place.base.get("model", {}).get("classes", ())
    if not model or not expected or place.base.get("data", {}).get("means"):
        return True
    known = registry.describe(_folder(model, 1)).classes
    return [entry.name for entry in known] == [entry["name"] for entry in expected]


def _offers_the_measure(row: Row) -> bool:
    return not row.weights or row.review.method in registry.describe(_folder(row.weights, 1)).uncertainty


def run(study: Study, place: Place, progress: Progress) -> Iterator[list[Result]]:
    """Yields all results so far whenever there is one more: all rows with the first seed, then with the next."""
    results: list[Result] = []
    for seed in range(1, study.seeds + 1):
        for row in study.rows:
            if seed <= (row.seeds or study.seeds):
                results.append(_result(study, row, seed, place, progress))
                yield results


def _result(study: Study, row: Row, seed: int, place: Place, progress: Progress) -> Result:
    trainer = study.trainer(row)
    folder, trained_in = (place.out / _slug(name) / f"seed{seed}" for name in (row.name, trainer.name))
    document = merged(merged(place.base, trainer.changes), {"training": {"seed": seed}})
    _claim(folder, {"configuration": document, **settings(study, row)})
    path = folder / RESULT
    if not path.exists():
        words = f"{row.name}, seed {seed}"
        model = _folder(row.weights, seed) if row.weights else _trained(document, trained_in, place, words, progress)
        _write(path, dataclasses.asdict(_measured(study, row, seed, model, place, words, progress)))
    return Result(**json.loads(path.read_text("utf-8")))


def _claim(folder: Path, wanted: Mapping[str, Any]) -> None:
    """Results of other settings must not be taken for those of these."""
    path, wanted = folder / SETTINGS, json.loads(json.dumps(wanted))
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write(path, wanted)
    elif json.loads(path.read_text("utf-8")) != wanted:
        raise ConfigError(f"'{folder}' holds results of other settings.", "Choose another --out, or delete it.")


def _trained(document: Mapping[str, Any], folder: Path, place: Place, words: str, progress: Progress) -> Path:
    """The folder of a model, trained to its end."""
    config = parse(document, words)
    untrained = registry.build(config.spec)
    if not any(True for _ in untrained.parameters()):  # it has nothing to learn
        registry.save(folder / MODEL, config.spec, untrained)
        return folder / MODEL
    for step, _ in train(config, place.data, folder, place.device, resume=True):
        progress(f"{words}: training", step, config.training.steps)
    return folder / MODEL


def _measured(study: Study, row: Row, seed: int, model: Path, place: Place, words: str, progress: Progress) -> Result:
    data = data_options(place.base)
    images = pairs(data, place.data, data.test)

    def tick(done: int, total: int) -> None:
        progress(f"{words}: {study.kind}", done, total)

    predictor = registry.load_predictor(model, place.device)
    if row.legend:
        predictor = with_legend(predictor, registry.describe(_folder(row.legend, seed)).classes)
    found = kinds.find(study.kind).measure(Task(row, predictor, images, data, study.length, seed, tick))
    names = [image.stem for image, _ in images]
    today = datetime.datetime.now().astimezone().date().isoformat()
    return Result(row.name, seed, found.x, found.curves, found.figures, names, machine.described(), today)


def _folder(model: str, seed: int) -> Path:
    """The folder of a model, by its name or path, in which "{seed}" stands for the seed's number."""
    return registry.find_or_open(model.format(seed=seed))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _write(path: Path, content: object) -> None:
    """JSON under its final name only when it is whole."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    unfinished.replace(path)
