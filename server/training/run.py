"""One training in a folder: from a configuration to a model folder, its log and its curves.

The folder receives model/ (for `terrafine serve --models`), log.csv, curves.png and the checkpoint to resume from.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import torch

from terrafine.models import registry
from terrafine.models.training.loop import Trainer, Values
from terrafine.server.training.best import Best
from terrafine.server.training.configuration import TrainingConfig
from terrafine.server.training.course import Course
from terrafine.server.training.encoder import start_encoder
from terrafine.server.training.log import CURVES, LOG, Log, draw_curves
from terrafine.server.training.maps import MapCourse
from terrafine.server.training.objects import ObjectCourse

MODEL = "model"
AnyCourse = Course[Any, Any, Any]
COURSES: dict[str, type[AnyCourse]] = {"map": MapCourse, "object": ObjectCourse}  # by ModelSpec.task


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
    options, course = config.training, COURSES[config.spec.task](config, root, device)
    trainer = _prepared(course, folder, start_from, resume)
    subjects = course.subjects(config.data.validate) if config.data.validate else []
    with Log(folder / LOG, trainer.step) as log:
        best = Best(folder / LOG, options.patience)
        for step, values in () if best.is_final else trainer.run():
            if subjects and (step % options.validate_every == 0 or step == options.steps):
                values |= course.validated(trainer.result, subjects)
                if best.beats(values) or not options.patience:
                    registry.save(folder / MODEL, config.spec, trainer.result)
            log.write(step, values)
            yield step, values
            if best.is_final:
                break
        kept = options.patience and subjects  # otherwise the last weights are the result
        network = course.load(folder / MODEL)[1].to(course.device) if kept else trainer.result
        spec, values = course.finished(network, subjects)
        log.write(trainer.step, values)
    registry.save(folder / MODEL, spec, network)
    draw_curves(folder / LOG, folder / CURVES, course.panels)


def _prepared(course: AnyCourse, folder: Path, start_from: Optional[Path], resume: bool) -> Trainer[Any, Any]:
    """A trainer at its first step, or at the one that it had reached."""
    config = course.config
    torch.manual_seed(config.training.seed)
    network = course.started(start_from) if start_from is not None else course.build()
    trainer = Trainer(course.task(network), folder)
    if not (resume and trainer.resume()) and start_from is None:
        start_encoder(config, course.root, network, lambda step: course.shown(trainer.batch(step)).to(course.device))
        trainer.averaged.module.load_state_dict(network.state_dict())
    return trainer
