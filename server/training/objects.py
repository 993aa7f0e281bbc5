"""The course of a network that finds single objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from terrafine.models.data import Scene
from terrafine.models.networks.object_network import ObjectNetwork
from terrafine.models.objects import build, measure
from terrafine.models.objects.finder import ObjectFinder
from terrafine.models.objects.samples import SceneObject, objects_of
from terrafine.models.objects.train import ObjectBatch, ObjectTask
from terrafine.models.objects.view import View
from terrafine.models.training.loop import Values
from terrafine.server.training.configuration import TrainingConfig
from terrafine.server.training.course import Course
from terrafine.server.training.scenes import class_id, load_scenes, training_scenes
from terrafine.shared.errors import ConfigError
from terrafine.shared.spec import ModelSpec

VALIDATION_CLICKS = 5


class ObjectCourse(Course[ObjectNetwork, ObjectBatch, SceneObject]):
    """Validated by clicks on each object."""

    panels = ("loss", "iou", "validation")
    make = ("architecture", "encoder", "options", "bands")

    def build(self) -> ObjectNetwork:
        return build.build(self.config.spec)

    def load(self, folder: Path) -> tuple[ModelSpec, ObjectNetwork]:
        return build.load(folder)

    def task(self, network: ObjectNetwork) -> ObjectTask:
        objects = objects_in(self.config, training_scenes(self.config, self.root))
        return ObjectTask(self.config.spec, network, objects, self.config.training, self.device)

    def shown(self, batch: ObjectBatch) -> Tensor:
        return torch.cat([batch.images, batch.guidance], dim=1)

    def subjects(self, patterns: Sequence[str]) -> list[SceneObject]:
        return objects_in(self.config, load_scenes(self.config, self.root, patterns))

    def validated(self, network: ObjectNetwork, subjects: Sequence[SceneObject]) -> Values:
        method = measure.SceneFinder(ObjectFinder(self.config.spec, network, self.device))
        first = measure.BOX_CLICKS if View.of(self.config.spec, self.config.training.crop_px).box else 1
        trials = [measure.measure(method, target, VALIDATION_CLICKS, first) for target in subjects]
        return {f"validation_{name}": value for name, value in measure.summary(trials, VALIDATION_CLICKS).items()}


def objects_in(config: TrainingConfig, scenes: Sequence[Scene]) -> list[SceneObject]:
    """The objects that `config` means; raises ConfigError where the scenes have none."""
    options = config.training.objects
    found = objects_of(scenes, [class_id(config.spec, name) for name in options.classes], options.least_px)
    if not found:
        names = ", ".join(options.classes)
        raise ConfigError(f"The images have no object of {options.least_px} pixels or more.", f"Looked for: {names}.")
    return found
