"""A simulated annotator drives the engine, the same that QGIS drives, and what its clicks changed is counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from terrafine.models import metrics
from terrafine.models.encoding.encode import UNMARKED, marked_pixels
from terrafine.server.evaluation.annotator import Annotator
from terrafine.server.evaluation.refinement import Classes, Refinement
from terrafine.shared.spec import NODATA_CLASS


@dataclass(frozen=True)
class Step:
    """The map after so many clicks.

    confusion           of all pixels
    unmarked            of the pixels that carry no mark
    corrected, broken   pixels that the last click made right, or wrong
    obeyed              do all marked pixels carry their class?
    seconds             from the click to the last patch
    """

    clicks: int
    confusion: metrics.Confusion
    unmarked: metrics.Confusion
    corrected: int
    broken: int
    obeyed: bool
    seconds: float


def annotate(refinement: Refinement, clicks: int, annotator: Annotator, rng: np.random.Generator) -> Iterator[Step]:
    """Click and refine, `clicks` times; yields the state at the start and after every click.

    Where nothing is wrong any more, the last map is repeated: every raster has the same number of steps.
    """
    yield step_of(refinement, np.full_like(refinement.map, NODATA_CLASS))
    for _ in range(clicks):
        before = refinement.map
        click = annotator.click(before, refinement.truth, refinement.session.legend.shown, rng)
        if click is None:
            refinement.seconds = 0.0
        else:
            refinement.mark(click)
        yield step_of(refinement, before)


def step_of(refinement: Refinement, before: Classes, after: Optional[Classes] = None) -> Step:
    """The state of now, and what has changed since the map `before`; `after` is the session's map by default."""
    truth, after = refinement.truth, refinement.map if after is None else after
    classes = len(refinement.session.legend.classes)
    marked = marked_pixels(refinement.session.tile_marks.marks, refinement.whole)
    unmarked = (marked == UNMARKED) | (after == NODATA_CLASS)
    counted = truth != metrics.VOID
    was_right, is_right = (before == truth) & counted, (after == truth) & counted
    return Step(
        clicks=len(refinement.marks),
        confusion=metrics.confusion(truth, after, classes),
        unmarked=metrics.confusion(truth[unmarked], after[unmarked], classes),
        corrected=int((is_right & ~was_right).sum()),
        broken=int((was_right & ~is_right).sum()),
        obeyed=bool((after[~unmarked] == marked[~unmarked]).all()),
        seconds=refinement.seconds,
    )


@dataclass(frozen=True)
class Curve:
    """What the clicks did, over all rasters: one value a step, 0 … clicks, of one seed.

    miou, unmarked_miou  from the confusion pooled over the rasters, over the first `counted` classes
    accuracy             of each raster, (rasters, steps)
    """

    miou: NDArray[np.float64]
    unmarked_miou: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    class_iou: NDArray[np.float64]
    corrected: NDArray[np.int64]
    broken: NDArray[np.int64]
    seconds: NDArray[np.float64]
    obeyed: bool


def summarise(runs: Sequence[Sequence[Step]], counted: int) -> Curve:
    """One Curve from the steps of every raster."""
    pooled = [sum(step.confusion for step in column) for column in zip(*runs)]
    unmarked = [sum(step.unmarked for step in column) for column in zip(*runs)]
    return Curve(
        miou=np.array([metrics.mean_iou(matrix, counted) for matrix in pooled]),
        unmarked_miou=np.array([metrics.mean_iou(matrix, counted) for matrix in unmarked]),
        accuracy=np.array([[metrics.accuracy(step.confusion) for step in run] for run in runs]),
        class_iou=np.array([metrics.iou(matrix) for matrix in pooled]),
        corrected=np.array([[step.corrected for step in run[1:]] for run in runs]),
        broken=np.array([[step.broken for step in run[1:]] for run in runs]),
        seconds=np.array([[step.seconds for step in run] for run in runs]),
        obeyed=all(step.obeyed for run in runs for step in run),
    )
