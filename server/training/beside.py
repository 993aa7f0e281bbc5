"""What goes with a model that stays as it is: measures of its uncertainty, maps of more detail."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from terrafine.models import registry
from terrafine.models.certainty import confidence
from terrafine.models.certainty.train import OPTIONS, ConfidenceTask
from terrafine.models.data import Augmentation, Scene
from terrafine.models.detail import train as refining
from terrafine.models.detail.lessons import Lesson, draw_lessons
from terrafine.models.networks.magnet import Refiner
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.training.loop import Trainer
from terrafine.server.training.configuration import TrainingConfig
from terrafine.server.training.scenes import load_scenes, training_scenes

log = logging.getLogger(__name__)
UNFINISHED, UNFINISHED_REFINER = "confidence", "refiner"  # folders of the checkpoints, in the model's


def train_confidence(
    config: TrainingConfig, root: Path, model: Path, device: str = "cpu", resume: bool = False
) -> Iterator[tuple[int, int, float]]:
    """Train a ConfidNet for the model in a folder, on the data that `config` names, and put it there.

    Yields (step, steps, loss). The model's own spec counts, not the one in `config`; with `resume` the training goes on
    from the checkpoint that it left there.
    """
    spec, network = registry.load(model)
    scenes = training_scenes(dataclasses.replace(config, spec=spec), root)
    torch.manual_seed(config.training.seed)
    confidnet, options = confidence.for_network(network, spec), dataclasses.replace(OPTIONS, seed=config.training.seed)
    trainer = Trainer(ConfidenceTask(spec, confidnet, network, scenes, options, device), model / UNFINISHED)
    if resume:
        trainer.resume()
    for step, values in trainer.run():
        yield step, options.steps, values["loss"]
    registry.save_confidence(model, trainer.result)
    shutil.rmtree(model / UNFINISHED)


def train_refiner(
    config: TrainingConfig, root: Path, model: Path, device: str = "cpu", resume: bool = False
) -> Iterator[tuple[int, int, float]]:
    """Train a refinement module for the model in a folder, on the data that `config` names, and put it there.

    Yields (done, of how much, loss); what the network makes of the lessons comes first, with the loss NaN. The model's
    own spec counts, not the one in `config`; with `resume` the training goes on from the checkpoint that it left there.
    """
    spec, network = registry.load(model)
    network = network.to(torch.device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    config, options = dataclasses.replace(config, spec=spec), config.refiner
    drawn, lessons = _lessons(config, network, training_scenes(config, root), options.lessons, options.augmentation), []
    total = options.lessons + options.steps
    for lesson in drawn:
        lessons.append(lesson)
        yield len(lessons), total, float("nan")
    torch.manual_seed(options.seed)
    refiner = Refiner(len(spec.classes), options.stride)
    trainer = Trainer(refining.RefinerTask(spec, refiner, lessons, options, device), model / UNFINISHED_REFINER)
    if resume:
        trainer.resume()
    for step, values in trainer.run():
        yield options.lessons + step, total, values["loss"]
    refiner = trainer.result.eval()
    if config.data.validate:
        _choose_strength(config, network, refiner, load_scenes(config, root, config.data.validate))
    registry.save_refiner(model, refiner, options.detail)
    shutil.rmtree(model / UNFINISHED_REFINER)


def _choose_strength(config: TrainingConfig, network: MarkedNetwork, refiner: Refiner, scenes: Sequence[Scene]) -> None:
    """That which suits scenes that the module did not learn from."""
    checks = _lessons(config, network, scenes, config.refiner.checks, refining.AS_THEY_ARE)
    counted = config.data.counted or len(config.spec.classes)
    strength = refining.choose_strength(refiner, checks, config.spec.temperature, counted)
    log.info("what the module adds is best at a strength of %g", strength)


def _lessons(
    config: TrainingConfig, network: MarkedNetwork, scenes: Sequence[Scene], count: int, augmentation: Augmentation
) -> Iterator[Lesson]:
    options = config.refiner
    return draw_lessons(network, config.spec, scenes, options.scales, count, augmentation, options.seed)
