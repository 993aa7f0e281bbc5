"""One training of a network that finds single objects, as run.py has it for networks that classify."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

import torch

from terrafine.models import registry
from terrafine.models.data import Scene
from terrafine.models.networks.object_network import ObjectNetwork
from terrafine.models.objects import build, measure
from terrafine.models.objects.finder import ObjectFinder
from terrafine.models.objects.samples import SceneObject, objects_of
from terrafine.models.objects.train import ObjectTrainer
from terrafine.server.training.configuration import TrainingConfig
from terrafine.server.training.encoder import start_encoder
from terrafine.server.training.run import CURVES, LOG, MODEL, Log, Values, draw_curves
from terrafine.server.training.scenes import class_id, load_scenes, training_scenes
from terrafine.shared.errors import ConfigError

VALIDATION_CLICKS = 5
PANELS = ("loss", "iou", "validation")


def train_objects(
    config: TrainingConfig,
    root: Path,
    folder: Path,
    device: str = "cpu",
    start_from: Optional[Path] = None,
    resume: bool = False,
) -> Iterator[tuple[int, Values]]:
    """As `run.train`, for a model whose task is "object"; validation measures clicks on each object."""
    trainer = _prepared(config, root, folder, device, start_from, resume)
    patterns = config.data.validate
    validation = objects_in(config, load_scenes(config, root, patterns)) if patterns else []
    with Log(folder / LOG, trainer.step) as log:
        for step, values in trainer.run():
            if validation and (step % config.training.validate_every == 0 or step == config.training.steps):
                values |= _validated(config, trainer, validation)
            log.write(step, values)
            yield step, values
    registry.save(folder / MODEL, config.spec, trainer.result)
    draw_curves(folder / LOG, folder / CURVES, PANELS)


def objects_in(config: TrainingConfig, scenes: Sequence[Scene]) -> list[SceneObject]:
    """The objects that `config` means; raises ConfigError where the scenes have none."""
    options = config.training.objects
    found = objects_of(scenes, [class_id(config.spec, name) for name in options.classes], options.least_px)
    if not found:
        names = ", ".join(options.classes)
        raise ConfigError(f"The images have no object of {options.least_px} pixels or more.", f"Looked for: {names}.")
    return found


def _prepared(
    config: TrainingConfig, root: Path, folder: Path, device: str, start_from: Optional[Path], resume: bool
) -> ObjectTrainer:
    """A trainer at its first step, or at the one that it had reached."""
    torch.manual_seed(config.training.seed)
    network = _network(config, start_from)
    objects = objects_in(config, training_scenes(config, root))
    trainer = ObjectTrainer(config.spec, network, objects, config.training, folder, device)
    if not (resume and trainer.resume()) and start_from is None:
        start_encoder(config, root, network, lambda step: _shown(trainer, step))
        trainer.averaged.module.load_state_dict(network.state_dict())
    return trainer


def _network(config: TrainingConfig, start_from: Optional[Path]) -> ObjectNetwork:
    """The network that the file describes, with random weights or those of a model of the same make."""
    if start_from is None:
        return build.build(config.spec)
    spec, network = build.load(start_from)
    for part in ("architecture", "encoder", "options", "bands"):
        if getattr(spec, part) != getattr(config.spec, part):
            raise ConfigError(f"The model in '{start_from}' has another {part}.", "Start from one of the same make.")
    return network


def _shown(trainer: ObjectTrainer, step: int) -> torch.Tensor:
    """What the encoder sees: images and first clicks."""
    batch = trainer.batch(step)
    return torch.cat([batch.images, batch.guidance], dim=1).to(trainer.device)


def _validated(config: TrainingConfig, trainer: ObjectTrainer, objects: Sequence[SceneObject]) -> Values:
    method = measure.SceneFinder(ObjectFinder(config.spec, trainer.result, str(trainer.device)))
    first = measure.BOX_CLICKS if trainer.view.box else 1
    trials = [measure.measure(method, target, VALIDATION_CLICKS, first) for target in objects]
    return {f"validation_{name}": value for name, value in measure.summary(trials, VALIDATION_CLICKS).items()}
