"""Fewer and fewer strokes: how far does a map fall? (SideInfNet, section 4.4 and table 5.)

An analyst draws rough strokes over the whole raster, whatever the map says; shares of them are kept that lie as all of
them do: k-means on the strokes' centres, and the stroke nearest to each centroid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.cluster.vq import kmeans2

from terrafine.models import simulate
from terrafine.server.evaluation.evaluate import Step, step_of, summarise
from terrafine.server.evaluation.refinement import Refinement, Subject
from terrafine.server.studies.clicks import measured
from terrafine.server.studies.quality import quality
from terrafine.server.studies.task import Measured, Task
from terrafine.shared.annotation import Annotation

ROUNDS = 20  # of k-means


def measure(task: Task) -> Measured:
    """Measure all rasters, each on its own, at `task.length` + 1 shares from none to all."""
    shares = [index / task.length for index in range(task.length + 1)]
    runs, figures = [], []
    for index, subject in enumerate(task.subjects()):
        steps, found = _run(task, index, subject, shares)
        runs.append(steps)
        figures.append(found)
    percent = [100.0 * share for share in shares]
    return measured(summarise(runs, task.counted), task.classes, percent, figures)


def _run(task: Task, index: int, subject: Subject, shares: Sequence[float]) -> tuple[list[Step], dict[str, float]]:
    refinement, rng = Refinement(subject, task.predictor), task.chance(index)
    strokes, found, steps = simulate.strokes_in(refinement.truth, rng, simulate.Strokes()), quality(refinement), []
    for number, share in enumerate(shares, 1):
        before = refinement.map
        refinement.hold(thinned(strokes, share, rng))
        steps.append(step_of(refinement, before))
        task.tick(index * len(shares) + number, len(task.images) * len(shares))
    refinement.close()
    return steps, {**found, "strokes": float(len(strokes))}


def thinned(strokes: Sequence[Annotation], share: float, rng: np.random.Generator) -> list[Annotation]:
    """⌈n · share⌉ of n strokes, or a few less where centres coincide, in their order."""
    count = math.ceil(len(strokes) * share)
    if count in (0, len(strokes)):
        return list(strokes) if count else []
    centres = np.array([np.mean(stroke.vertices, axis=0) for stroke in strokes])
    centroids, cluster = kmeans2(centres, count, ROUNDS, minit="++", missing="warn", seed=rng)
    distance = np.linalg.norm(centres - centroids[cluster], axis=1)
    kept = {int(min(np.flatnonzero(cluster == c), key=lambda i: distance[i])) for c in np.unique(cluster)}
    return [strokes[index] for index in sorted(kept)]
