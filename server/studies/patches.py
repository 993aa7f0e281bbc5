"""Reviewing a raster patch by patch: which order gains most (DIAL, section IV and tables I and IV)."""

from __future__ import annotations

import numpy as np

from terrafine.models import metrics
from terrafine.models.simulate import deepest, mistakes, moved, point_in
from terrafine.server.evaluation.evaluate import Step, step_of, summarise
from terrafine.server.evaluation.refinement import Classes, Refinement, Subject
from terrafine.server.studies.clicks import measured
from terrafine.server.studies.quality import quality
from terrafine.server.studies.study import Review
from terrafine.server.studies.task import Measured, Task
from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Window, slices
from terrafine.shared.learning import MOST_PATCHES, RankOptions


def measure(task: Task) -> Measured:
    """Every raster on its own, `length` patches of each or as many as there are."""
    length = min(task.length, max(_patches(subject, task.row.review.size_px) for subject in task.subjects()))
    runs, figures = [], []
    for index, subject in enumerate(task.subjects()):
        refinement = Refinement(subject, task.predictor)
        figures.append(quality(refinement))
        reviewer = _Reviewer(refinement, task.row.review, task.chance(index), task.seed)
        steps = [step_of(refinement, np.full_like(refinement.map, metrics.VOID))]
        for count in range(length):
            steps.append(reviewer.next())
            task.tick(index * length + count + 1, len(task.images) * length)
        runs.append(steps)
        refinement.close()
    return measured(summarise(runs, task.counted), task.classes, range(length + 1), figures)


def _patches(subject: Subject, size_px: int) -> int:
    """How many there are."""
    grid = subject.info.grid
    return -(-grid.width // size_px) * -(-grid.height // size_px)


class _Reviewer:
    """Asks for the next patch, deals with it, and asks again: the order follows what has changed."""

    def __init__(self, refinement: Refinement, review: Review, rng: np.random.Generator, seed: int) -> None:
        self._refinement, self._review, self._rng = refinement, review, rng
        order = review.order if review.order != "oracle" else "reading"
        self._ranking = RankOptions(order, review.method, review.size_px, MOST_PATCHES, seed)
        self._painted = np.full_like(refinement.map, metrics.VOID)  # what was made true by hand
        self._done: set[Window] = set()

    def next(self) -> Step:
        """One more patch; the last map again where none is left."""
        before, patch = self._shown, self._next_patch()
        self._refinement.seconds = 0.0
        if patch is not None:
            self._done.add(patch)
            self._act(patch)
        return step_of(self._refinement, before, self._shown)

    @property
    def _shown(self) -> Classes:
        return np.where(self._painted != metrics.VOID, self._painted, self._refinement.map)

    def _next_patch(self) -> Window | None:
        left = [found.window for found in self._refinement.rank(self._ranking) if found.window not in self._done]
        if not left:
            return None
        return max(left, key=self._wrong) if self._review.order == "oracle" else left[0]

    def _wrong(self, patch: Window) -> int:
        shown, truth = self._within(patch)
        return int(((shown != truth) & (truth != metrics.VOID)).sum())

    def _within(self, patch: Window) -> tuple[Classes, Classes]:
        inside = slices(patch, self._refinement.whole)
        return self._shown[inside], self._refinement.truth[inside]

    def _act(self, patch: Window) -> None:
        if self._review.act == "truth":
            inside = slices(patch, self._refinement.whole)
            self._painted[inside] = self._refinement.truth[inside]
        else:
            marks = self._marks(patch)
            if marks:
                self._refinement.mark(*marks)

    def _marks(self, patch: Window) -> list[Annotation]:
        found = mistakes(*self._within(patch))
        if self._review.act == "click":
            found = found[:1]
        else:
            found = [mistake for mistake in found if mistake.area >= self._review.smallest_px]
        return [moved(point_in(mistake, deepest(mistake), self._rng), patch.col, patch.row) for mistake in found]
