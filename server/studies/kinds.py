"""What can be done with a row's model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from terrafine.server.studies import clicks, density, detail, mistakes, patches, points, sequence, strokes
from terrafine.server.studies.task import Measured, Task
from terrafine.shared.errors import ConfigError


@dataclass(frozen=True)
class Kind:
    """A measurement, and how its page speaks of it.

    axis    what the curves are drawn against
    length  what a study's length means, with {} for the number
    gains   whether going along the axis improves one and the same map: only then are there an area and a gain
    """

    measure: Callable[[Task], Measured]
    axis: str
    length: str
    gains: bool = True


KINDS = {
    "clicks": Kind(clicks.measure, "clicks a raster", "{} clicks a raster"),
    "patches": Kind(patches.measure, "patches reviewed", "{} patches of a raster at most"),
    "strokes": Kind(strokes.measure, "% of the strokes", "none of the strokes to all, in {} steps"),
    "points": Kind(points.measure, "points a raster", "10 points to 10 to the power of {}"),
    "sequence": Kind(sequence.measure, "rasters, each as it begins", "{} clicks a raster to learn from", gains=False),
    "mistakes": Kind(mistakes.measure, "mistakes, from the smallest class of size to the largest",
                     "{} mistakes of a raster at most", gains=False),
    "density": Kind(density.measure, "marks on the raster", "10 marks to 10 to the power of {}", gains=False),
    "detail": Kind(detail.measure, "pixels from a true boundary at most", "without a mark", gains=False),
}  # fmt: skip


def find(name: str) -> Kind:
    """The kind of that name; raises ConfigError with the names there are."""
    if name not in KINDS:
        raise ConfigError(f"There is no kind of study '{name}'.", f"There are: {', '.join(KINDS)}.")
    return KINDS[name]
