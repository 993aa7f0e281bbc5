"""The course of a network that classifies and listens to marks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from terrafine.models import registry
from terrafine.models.certainty import calibration
from terrafine.models.data import Scene
from terrafine.models.metrics import VOID
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.training.loop import Values
from terrafine.models.training.maps import Batch, MapTask
from terrafine.models.training.validation import validate
from terrafine.server.training.course import Course
from terrafine.server.training.scenes import load_scenes, training_scenes
from terrafine.shared.errors import ConfigError
from terrafine.shared.spec import ModelSpec

VALIDATION_CLICKS, VALIDATION_PX = 8, 512


class MapCourse(Course[MarkedNetwork, Batch, Scene]):
    """Validated by clicks on the middles of scenes."""

    panels = ("loss", "accuracy", "miou")
    make = ("architecture", "encoder", "options", "bands", "encoding")

    def build(self) -> MarkedNetwork:
        network = registry.build(self.config.spec)
        if not any(True for _ in network.parameters()):
            raise ConfigError(f"A {self.config.spec.architecture} is not trained: it learns from an analyst's marks.")
        return network

    def load(self, folder: Path) -> tuple[ModelSpec, MarkedNetwork]:
        spec, network = registry.load(folder)
        known, wanted = len(spec.classes), len(self.config.spec.classes)
        if known != wanted:
            raise ConfigError(f"The model in '{folder}' has {known} classes, not {wanted}.")
        return spec, network

    def task(self, network: MarkedNetwork) -> MapTask:
        scenes = training_scenes(self.config, self.root)
        if all((scene.truth == VOID).all() for scene in scenes):
            raise ConfigError("The training images have no label at all.", "Check labels_are and the classes' colours.")
        return MapTask(self.config.spec, network, scenes, self.config.training, self.device)

    def shown(self, batch: Batch) -> Tensor:
        return batch.images

    def subjects(self, patterns: Sequence[str]) -> list[Scene]:
        return [_middle(scene) for scene in load_scenes(self.config, self.root, patterns)]

    def validated(self, network: MarkedNetwork, subjects: Sequence[Scene]) -> Values:
        counted = self.config.data.counted or len(self.config.spec.classes)
        curve = validate(self.config.spec, network, subjects, VALIDATION_CLICKS, counted, self.device)
        return {f"miou_{clicks}_clicks": value for clicks, value in curve.items()}

    def finished(self, network: MarkedNetwork, subjects: Sequence[Scene]) -> tuple[ModelSpec, Values]:
        """With the temperature that suits the validation scenes, and every measure of uncertainty there is."""
        measures = tuple(dict.fromkeys((*self.config.spec.uncertainty, *network.measures)))
        spec = dataclasses.replace(self.config.spec, uncertainty=measures)
        if not subjects:
            return spec, {}
        logits, truth = calibration.scene_logits(spec, network, subjects, self.device)
        found = calibration.calibrate(logits, truth)
        errors = {"calibration_error_before": found.error_before, "calibration_error_after": found.error_after}
        return dataclasses.replace(spec, temperature=found.temperature), {"temperature": found.temperature, **errors}


def _middle(scene: Scene) -> Scene:
    """The middle of a validation scene, in one tile: sides are multiples of 32, as networks want them."""
    if min(scene.truth.shape) < 32:
        raise ConfigError(f"'{scene.name}' is smaller than 32 pixels at the model's GSD: too small for validation.")
    rows, cols = (min(VALIDATION_PX, side // 32 * 32) for side in scene.truth.shape)
    top, left = (scene.truth.shape[0] - rows) // 2, (scene.truth.shape[1] - cols) // 2
    inside = slice(top, top + rows), slice(left, left + cols)
    return Scene(scene.name, scene.image[(slice(None), *inside)], scene.truth[inside])
