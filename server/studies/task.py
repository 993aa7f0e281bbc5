"""What a kind of study is given to measure, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from terrafine.models.infer import Predictor
from terrafine.server.evaluation.refinement import Subject, load_subject
from terrafine.server.studies.study import Row
from terrafine.server.training.configuration import DataOptions


@dataclass(frozen=True)
class Task:
    """One row, one seed.

    images  (image, labels) of the rasters to report on
    length  how far it goes
    tick    to be called with (done, of how much)
    """

    row: Row
    predictor: Predictor
    images: list[tuple[Path, Path]]
    data: DataOptions
    length: int
    seed: int
    tick: Callable[[int, int], None]

    @property
    def classes(self) -> list[str]:
        return [entry.name for entry in self.predictor.spec.classes]

    @property
    def counted(self) -> int:
        """The mean IoU counts the classes below this one."""
        return self.data.counted or len(self.predictor.spec.classes)

    def subjects(self) -> Iterator[Subject]:
        for image, labels in self.images:
            yield load_subject(image, labels, self.predictor.spec, self.data)

    def chance(self, index: int) -> np.random.Generator:
        """Random numbers for the raster of that index."""
        return np.random.default_rng((self.seed, index))


@dataclass(frozen=True)
class Measured:
    """`curves`: values by name at each of the places `x`; `figures`: single numbers."""

    x: list[float]
    curves: dict[str, list[float]]
    figures: dict[str, float]
