"""Does a click take longer the more marks there are? (SideInfNet, supplement D and table 10.)

Points are spread evenly over the raster; then a few more clicks are timed, each with the map's refreshment. And does
memory grow?
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from terrafine.server.bench.memory import own_gb
from terrafine.server.evaluation.refinement import Refinement
from terrafine.server.studies.task import Measured, Task
from terrafine.shared.annotation import Annotation

CLICKS = 5  # that are timed, after one that is not


def measure(task: Task) -> Measured:
    """Time clicks on the first raster, with 10 marks, 100, … 10 to the power of `task.length`: medians of the times."""
    refinement, rng = Refinement(next(task.subjects()), task.predictor), task.chance(0)
    counts = [10**power for power in range(1, task.length + 1)]
    marks = list(_points(refinement, counts[-1] + CLICKS + 1, rng))
    curves: dict[str, list[float]] = {"seconds": [], "processor seconds": [], "resident GB": []}
    for number, count in enumerate(counts, 1):
        refinement.hold(marks[:count])
        times = np.array([_timed(refinement, mark) for mark in marks[counts[-1] :]])
        for values, value in zip(curves.values(), (*np.median(times[1:], axis=0), own_gb())):
            values.append(float(value))
        task.tick(number, len(counts))
    refinement.close()
    more = curves["processor seconds"][-1] / curves["processor seconds"][0]
    return Measured([float(count) for count in counts], curves, {"times as long": more})


def _timed(refinement: Refinement, mark: Annotation) -> tuple[float, float]:
    """Seconds, and seconds of the processor's, of a click; it is taken back."""
    began = time.process_time()
    refinement.mark(mark)
    spent = refinement.seconds, time.process_time() - began
    refinement.unmark(mark.id)
    return spent


def _points(refinement: Refinement, count: int, rng: np.random.Generator) -> Iterator[Annotation]:
    classes = len(refinement.session.spec.classes)
    for index, (x, y) in enumerate(rng.uniform(0, (refinement.whole.width, refinement.whole.height), (count, 2))):
        yield Annotation(f"point-{index}", "point", ((float(x), float(y)),), int(rng.integers(classes)))
