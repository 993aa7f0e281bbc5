"""Numbers at points instead of marks: how much does a map gain? (SideInfNet, section 4.1, with made-up photographs.)

Points are drawn anywhere in the truth, with a score a class that is off by a normal error (`simulate.noisy_scores`).
"""

from __future__ import annotations

from terrafine.models import simulate
from terrafine.models.training.options import MarkOptions
from terrafine.server.evaluation.evaluate import step_of, summarise
from terrafine.server.evaluation.refinement import Refinement
from terrafine.server.studies.clicks import measured
from terrafine.server.studies.task import Measured, Task
from terrafine.shared.errors import ConfigError
from terrafine.shared.side import NOWHERE


def measure(task: Task) -> Measured:
    """Measure all rasters, with no points, then 10, 100, … 10 to the power of `task.length`."""
    if len(task.predictor.spec.side.names) != len(task.classes):
        raise ConfigError("Points need a model that is told a score a class.", "Give [model] side as many names.")
    counts, runs = [0, *(10**power for power in range(1, task.length + 1))], []
    for index, subject in enumerate(task.subjects()):
        refinement, rng, steps = Refinement(subject, task.predictor), task.chance(index), []
        for number, count in enumerate(counts, 1):
            before, noise = refinement.map, MarkOptions().side_noise
            side = simulate.noisy_scores(refinement.truth, count, noise, len(task.classes), rng) if count else NOWHERE
            refinement.tell(side)
            steps.append(step_of(refinement, before))
            task.tick(index * len(counts) + number, len(task.images) * len(counts))
        refinement.close()
        runs.append(steps)
    return measured(summarise(runs, task.counted), task.classes, [float(count) for count in counts], [])
