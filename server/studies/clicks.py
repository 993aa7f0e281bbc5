"""Clicks on a raster, one after the other, and what the map gains; with or without learning from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from terrafine.models.learning import festa
from terrafine.server.evaluation.evaluate import Curve, Step, annotate, step_of, summarise
from terrafine.server.evaluation.refinement import Refinement, Subject
from terrafine.server.studies.deaf import deaf
from terrafine.server.studies.quality import quality
from terrafine.server.studies.study import Relearning
from terrafine.server.studies.task import Measured, Task


def measure(task: Task) -> Measured:
    """Refine all rasters, each on its own."""
    at = task.row.learning.at
    places = [0, *at] if at else list(range(task.length + 1))
    runs, figures = [], []
    for index, subject in enumerate(task.subjects()):
        steps, found = _run(task, index, subject)
        runs.append(steps)
        figures.append(found)
    return measured(summarise(runs, task.counted), task.classes, places, figures)


def _run(task: Task, index: int, subject: Subject) -> tuple[list[Step], dict[str, float]]:
    """The steps on one raster: after every click, or after every learning."""
    refinement, learning = Refinement(subject, task.predictor), task.row.learning
    found = quality(refinement)
    learner = _learner(refinement, subject, task) if learning.at else None
    steps = [] if learner is None else [learner.start]
    last = max(learning.at, default=task.length)
    for count, step in enumerate(annotate(refinement, last, task.row.annotator, task.chance(index))):
        if learner is None:
            steps.append(step)
        elif count in learning.at:
            steps.append(learner.learn(refinement))
        task.tick(index * (last + 1) + count + 1, len(task.images) * (last + 1))
    refinement.close()
    return steps, found


def _learner(asked: Refinement, subject: Subject, task: Task) -> _Learner:
    """Learns in the session that asks for the marks, or in a second one on the same raster, which the first does not
    notice.
    """
    learning, predictor = task.row.learning, task.predictor
    if learning.follows:
        return _Learner(asked, learning)
    return _Learner(Refinement(subject, deaf(predictor) if learning.deaf else predictor), learning)


class _Learner:
    """A session that learns from the model as it came, on all marks so far."""

    def __init__(self, refinement: Refinement, learning: Relearning) -> None:
        self._refinement, self._learning = refinement, learning
        self.start = step_of(self._refinement, self._refinement.map)

    def learn(self, asked: Refinement) -> Step:
        before = self._refinement.map
        self._refinement.use_weights("")
        if asked is not self._refinement:
            self._refinement.mark(*asked.marks[len(self._refinement.marks) :])
        if asked.marks:
            self._refinement.learn(self._learning.options, festa.relations if self._learning.festa else None)
        return step_of(self._refinement, before)


def measured(
    curve: Curve, classes: Sequence[str], places: Sequence[float], figures: Sequence[dict[str, float]]
) -> Measured:
    """A Curve as lists by name; pixels corrected and broken are means over the rasters, of each step."""
    steps = {"corrected": curve.corrected.mean(0), "broken": curve.broken.mean(0)}
    curves = {
        "miou": curve.miou.tolist(),
        "miou without marked pixels": curve.unmarked_miou.tolist(),
        "accuracy": curve.accuracy.mean(0).tolist(),
        "seconds": np.r_[0.0, curve.seconds[:, 1:].mean(0)].cumsum().tolist(),
        **{name: [0.0, *values.tolist()] for name, values in steps.items()},
        **{f"iou {name}": curve.class_iou[:, index].tolist() for index, name in enumerate(classes)},
    }
    means = {name: float(np.mean([found[name] for found in figures])) for name in figures[0]} if figures else {}
    return Measured(list(places), curves, means)
