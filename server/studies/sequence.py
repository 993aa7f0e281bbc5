"""Rasters one after the other: what the marks of the first are worth on the next (DIAL, figure 8)."""

from __future__ import annotations

from terrafine.server.evaluation.evaluate import Step, annotate, step_of, summarise
from terrafine.server.evaluation.refinement import Refinement
from terrafine.server.studies.clicks import measured
from terrafine.server.studies.task import Measured, Task


def measure(task: Task) -> Measured:
    """The first map of each raster, in an order that the seed draws.

    Each raster gets `length` clicks, and the network learns from them at the end; with `carry` the next raster begins
    with what was learnt, without it with the model as it came.
    """
    subjects = list(task.subjects())
    order = task.chance(0).permutation(len(subjects))
    predictor, steps = task.predictor, list[Step]()
    for place, index in enumerate(order):
        refinement = Refinement(subjects[index], predictor)
        steps.append(step_of(refinement, refinement.map))
        if task.row.learning.carry and place < len(order) - 1:
            for _ in annotate(refinement, task.length, task.row.annotator, task.chance(int(index))):
                pass
            if refinement.marks:  # there may have been nothing to correct
                refinement.learn(task.row.learning.options)
                predictor = refinement.session.predictor
        refinement.close()
        task.tick(place + 1, len(order))
    curve = summarise([steps], task.counted)
    return measured(curve, task.classes, range(1, len(order) + 1), [])
