"""One training in a folder: from a configuration to a model folder, its log and its curves.

The folder receives model/ (for `terrafine serve --models`), log.csv, curves.png and the checkpoint to resume from.
"""

from __future__ import annotations

import csv
import dataclasses
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

import torch

from terrafine.models import registry
from terrafine.models.certainty import calibration, confidence
from terrafine.models.data import Scene
from terrafine.models.detail import train as refining
from terrafine.models.detail.lessons import draw_lessons
from terrafine.models.metrics import VOID
from terrafine.models.networks.magnet import Refiner
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.train import Trainer, validate
from terrafine.server.training.configuration import TrainingConfig
from terrafine.server.training.encoder import start_encoder
from terrafine.server.training.scenes import load_scenes, training_scenes
from terrafine.shared.errors import ConfigError
from terrafine.shared.spec import ModelSpec

log = logging.getLogger(__name__)
VALIDATION_CLICKS, VALIDATION_PX = 8, 512
LOG, CURVES, MODEL = "log.csv", "curves.png", "model"
Values = dict[str, float]


def train(
    config: TrainingConfig,
    root: Path,
    folder: Path,
    device: str = "cpu",
    start_from: Optional[Path] = None,
    resume: bool = False,
) -> Iterator[tuple[int, Values]]:
    """Train what `config` describes on the data in `root`; yields (step, losses and validation) after every step.

    start_from   a model folder of the same make, to begin with its weights
    resume       go on from the checkpoint in `folder`, if there is one

    Raises ConfigError where the data or the configuration make no sense.
    """
    trainer = _prepared(config, root, folder, device, start_from, resume)
    scenes = load_scenes(config, root, config.data.validate) if config.data.validate else []
    validation = [_middle(scene) for scene in scenes]
    with Log(folder / LOG, trainer.step) as log:
        for step, values in trainer.run():
            if validation and (step % config.training.validate_every == 0 or step == config.training.steps):
                values |= _validated(config, trainer, validation)
                registry.save(folder / MODEL, config.spec, trainer.result)
            log.write(step, values)
            if "miou_0_clicks" in values:
                draw_curves(folder / LOG, folder / CURVES)
            yield step, values
        spec, values = _finished(config, trainer, validation)
        log.write(trainer.step, values)
    registry.save(folder / MODEL, spec, trainer.result)


def train_confidence(
    config: TrainingConfig, root: Path, model: Path, device: str = "cpu"
) -> Iterator[tuple[int, int, float]]:
    """Train a ConfidNet for the model in a folder, on the data that `config` names, and put it there.

    Yields (step, steps, loss). The model's own spec counts, not the one in `config`.
    """
    spec, network = registry.load(model)
    network = network.to(torch.device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    scenes = training_scenes(dataclasses.replace(config, spec=spec), root)
    torch.manual_seed(config.training.seed)
    confidnet = confidence.for_network(network, spec)
    yield from confidence.train_confidence(confidnet, network, spec, scenes)
    registry.save_confidence(model, confidnet)


def train_refiner(
    config: TrainingConfig, root: Path, model: Path, device: str = "cpu"
) -> Iterator[tuple[int, int, float]]:
    """Train a refinement module for the model in a folder, on the data that `config` names, and put it there.

    Yields (done, of how much, loss). The model's own spec counts, not the one in `config`.
    """
    spec, network = registry.load(model)
    network = network.to(torch.device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    scenes = training_scenes(dataclasses.replace(config, spec=spec), root)
    options = config.refiner
    torch.manual_seed(options.seed)
    refiner = Refiner(len(spec.classes), options.stride).to(torch.device(device))
    yield from refining.train_refiner(refiner, network, spec, scenes, options)
    if config.data.validate:
        known = load_scenes(dataclasses.replace(config, spec=spec), root, config.data.validate)
        checks = draw_lessons(network, spec, known, options.scales, options.checks, refining.AS_THEY_ARE, options.seed)
        counted = config.data.counted or len(spec.classes)
        strength = refining.choose_strength(refiner, checks, spec.temperature, counted)
        log.info("what the module adds is best at a strength of %g", strength)
    registry.save_refiner(model, refiner, options.detail)


def _prepared(
    config: TrainingConfig, root: Path, folder: Path, device: str, start_from: Optional[Path], resume: bool
) -> Trainer:
    """A trainer at its first step, or at the one that it had reached."""
    torch.manual_seed(config.training.seed)
    network = _network(config, start_from)
    scenes = training_scenes(config, root)
    if all((scene.truth == VOID).all() for scene in scenes):
        raise ConfigError("The training images have no label at all.", "Check labels_are and the classes' colours.")
    trainer = Trainer(config.spec, network, scenes, config.training, folder, device)
    if not (resume and trainer.resume()) and start_from is None:
        start_encoder(config, root, network, lambda step: trainer.batch(step).images.to(trainer.device))
        trainer.averaged.module.load_state_dict(network.state_dict())
    return trainer


def _validated(config: TrainingConfig, trainer: Trainer, scenes: Sequence[Scene]) -> Values:
    counted = config.data.counted or len(config.spec.classes)
    curve = validate(config.spec, trainer.result, scenes, VALIDATION_CLICKS, counted, str(trainer.device))
    return {f"miou_{clicks}_clicks": value for clicks, value in curve.items()}


def _finished(config: TrainingConfig, trainer: Trainer, scenes: Sequence[Scene]) -> tuple[ModelSpec, Values]:
    """The spec with the temperature that suits the validation scenes, and every measure of uncertainty there is."""
    measures = tuple(dict.fromkeys((*config.spec.uncertainty, *trainer.result.measures)))
    spec = dataclasses.replace(config.spec, uncertainty=measures)
    if not scenes:
        return spec, {}
    logits, truth = calibration.scene_logits(spec, trainer.result, scenes, str(trainer.device))
    found = calibration.calibrate(logits, truth)
    errors = {"calibration_error_before": found.error_before, "calibration_error_after": found.error_after}
    return dataclasses.replace(spec, temperature=found.temperature), {"temperature": found.temperature, **errors}


def _network(config: TrainingConfig, start_from: Optional[Path]) -> MarkedNetwork:
    """The network that the file describes, with random weights or those of a model of the same make."""
    if start_from is None:
        network = registry.build(config.spec)
        if not any(True for _ in network.parameters()):
            raise ConfigError(f"A {config.spec.architecture} is not trained: it learns from an analyst's marks.")
        return network
    spec, network = registry.load(start_from)
    for part in ("architecture", "encoder", "options", "bands", "encoding"):
        if getattr(spec, part) != getattr(config.spec, part):
            raise ConfigError(f"The model in '{start_from}' has another {part}.", "Start from one of the same make.")
    if len(spec.classes) != len(config.spec.classes):
        known, wanted = len(spec.classes), len(config.spec.classes)
        raise ConfigError(f"The model in '{start_from}' has {known} classes, not {wanted}.")
    return network


def _middle(scene: Scene) -> Scene:
    """The middle of a validation scene, in one tile: sides are multiples of 32, as networks want them."""
    if min(scene.truth.shape) < 32:
        raise ConfigError(f"'{scene.name}' is smaller than 32 pixels at the model's GSD: too small for validation.")
    rows, cols = (min(VALIDATION_PX, side // 32 * 32) for side in scene.truth.shape)
    top, left = (scene.truth.shape[0] - rows) // 2, (scene.truth.shape[1] - cols) // 2
    inside = slice(top, top + rows), slice(left, left + cols)
    return Scene(scene.name, scene.image[(slice(None), *inside)], scene.truth[inside])


class Log:
    """log.csv, in long form: step, name, value. What a resumed training does again is forgotten first."""

    def __init__(self, path: Path, step: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [row for row in _rows(path) if row[0] <= step] if path.exists() else []
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(["step", "name", "value"])
        self._writer.writerows((step, name, f"{value:.6g}") for step, name, value in kept)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, step: int, values: dict[str, float]) -> None:
        self._writer.writerows([step, name, f"{value:.6g}"] for name, value in values.items())
        self._file.flush()


def draw_curves(log: Path, picture: Path, panels: Sequence[str] = ("loss", "accuracy", "miou")) -> None:
    """What begins with the name of each panel, losses, accuracies and validation say, against the step, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    curves: dict[str, list[tuple[int, float]]] = {}
    for step, name, value in _rows(log):
        curves.setdefault(name, []).append((step, value))
    figure, axes = pyplot.subplots(1, len(panels), figsize=(5 * len(panels), 4))
    for axis, prefix in zip(axes, panels):
        for name in sorted(curves):
            if name.startswith(prefix):
                axis.plot(*zip(*_smoothed(curves[name])), label=name)
        axis.set(xlabel="step", ylabel=prefix)
        if axis.lines:
            axis.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)


def _rows(log: Path) -> Iterator[tuple[int, str, float]]:
    with log.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield int(row["step"]), row["name"], float(row["value"])


def _smoothed(points: list[tuple[int, float]]) -> list[tuple[float, float]]:
    """At most 200 points, each the mean of its neighbours."""
    size = max(1, len(points) // 200)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(p[0] for p in g) / len(g), sum(p[1] for p in g) / len(g)) for g in groups]
