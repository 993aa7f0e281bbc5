"""One mistake, two answers: the mark alone, or learning from it. Which suits mistakes of what size (DIAL, figure 9)?
And is the advice right?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from terrafine.models.learning import advice
from terrafine.models.metrics import VOID
from terrafine.models.simulate import Mistake, deepest, mistakes, point_in
from terrafine.server.evaluation.refinement import Refinement
from terrafine.server.studies.task import Measured, Task
from terrafine.shared.errors import ConfigError

BINS = 4
SMALLEST_PX = 50


@dataclass(frozen=True)
class Sample:
    """A mistake of so many pixels, and how many more of the raster are right after each answer.

    advised  the answer that the advice was for
    """

    area: int
    marked: int
    learnt: int
    advised: str

    @property
    def better(self) -> str:
        return advice.LEARN if self.learnt > self.marked else advice.MARK


def measure(task: Task) -> Measured:
    """`length` mistakes of each raster, spread evenly over their sizes, each mended from the same first map."""
    samples: list[Sample] = []
    for subject in task.subjects():
        refinement = Refinement(subject, task.predictor)
        for mistake in _spread(mistakes(refinement.map, refinement.truth), task.length):
            samples.append(_sample(refinement, mistake, task))
            task.tick(len(samples), len(task.images) * task.length)
        refinement.close()
    if not samples:
        raise ConfigError(f"The map has no mistake of {SMALLEST_PX} pixels.", "Report on other rasters ([data] test).")
    return summary(samples)


def _spread(found: list[Mistake], count: int) -> list[Mistake]:
    """Some of them, the largest and the smallest worth a click included."""
    found = [mistake for mistake in found if mistake.area >= SMALLEST_PX]
    places = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int))
    return [found[place] for place in places]


def _sample(refinement: Refinement, mistake: Mistake, task: Task) -> Sample:
    """Try both answers to one mistake; everything is taken back afterwards."""
    start, since = _right(refinement), refinement.session.log.revision
    mark = point_in(mistake, deepest(mistake), task.chance(mistake.area))
    refinement.mark(mark)
    marked, advised = _right(refinement) - start, refinement.advise(since).action
    refinement.learn(task.row.learning.options)
    learnt = _right(refinement) - start
    refinement.use_weights("")
    refinement.unmark(mark.id)
    return Sample(mistake.area, marked, learnt, advised)


def _right(refinement: Refinement) -> int:
    return int(((refinement.map == refinement.truth) & (refinement.truth != VOID)).sum())


def summary(samples: list[Sample]) -> Measured:
    """Mean gains in classes of size that hold equally many mistakes, and how often each answer was the better one."""
    ordered = sorted(samples, key=lambda sample: sample.area)
    groups = [group for group in np.array_split(np.arange(len(ordered)), min(BINS, len(ordered))) if len(group)]

    def means(name: str) -> list[float]:
        return [float(np.mean([getattr(ordered[index], name) for index in group])) for group in groups]

    curves = {"pixels gained by the mark": means("marked"), "pixels gained by learning": means("learnt")}
    curves["size of the mistake"] = means("area")
    better = [sample.better for sample in ordered]
    right, constant = advice.agreement([sample.advised for sample in ordered], better)
    figures = {
        "mistakes": float(len(ordered)),
        "share where learning is better": better.count(advice.LEARN) / len(better),
        "share where the advice was right": right,
        "share where the better constant answer is": constant,
    }
    return Measured(list(range(1, len(groups) + 1)), curves, figures)
