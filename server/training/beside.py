"""What goes with a model that stays as it is: measures of its uncertainty, maps of more detail."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from terrafine.models import registry
from terrafine.models.certainty import confidence
from terrafine.models.certainty.train import OPTIONS, ConfidenceTask
from terrafine.models.detail import train as refining
from terrafine.models.detail.lessons import draw_lessons
from terrafine.models.networks.magnet import Refiner
from terrafine.models.training.loop import Trainer
from terrafine.server.training.configuration import TrainingConfig
from terrafine.server.training.scenes import load_scenes, training_scenes

log = logging.getLogger(__name__)
UNFINISHED = "confidence"  # the folder of the checkpoint, in the model's


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
