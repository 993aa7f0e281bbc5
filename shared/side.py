"""Side information: numbers that are known at points, and steer the map around them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from terrafine.shared.errors import UnusableModel

MOST_POINTS = 1_000_000


@dataclass(frozen=True)
class SideFields:
    """What a model expects to be told at points: names of numbers, and what makes each (value − mean) / std."""

    names: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.names)
        if not (len(self.mean) == len(self.std) == count and all(value > 0 for value in self.std)):
            raise UnusableModel("The model's description is broken: side needs a mean and a positive std a name.")
        if len(set(self.names)) != count:
            raise UnusableModel("The model's description is broken: a field of side has a name twice.")

    @property
    def channels(self) -> int:
        """The network's inputs for them: each number, and whether there is one."""
        return len(self.names) + 1 if self.names else 0


@dataclass(frozen=True, eq=False)
class SideInformation:
    """points float32 (n, 2): x, y in raster pixels; values float32 (n, d): as they were measured, in the model's order.

    Equal if the numbers are. Raises ValueError where these do not fit together or are no finite numbers.
    """

    points: np.ndarray
    values: np.ndarray

    def __post_init__(self) -> None:
        for array, name in ((self.points, "points"), (self.values, "values")):
            if array.ndim != 2 or array.dtype != np.float32 or not np.isfinite(array).all():
                raise ValueError(f"{name} are finite float32 numbers in rows")
        if self.points.shape[1] != 2 or len(self.points) != len(self.values):
            raise ValueError(f"{self.values.shape} values do not fit {self.points.shape} points")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SideInformation) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def digest(self) -> str:
        """A name for these numbers, the same wherever they are the same; empty where there are none."""
        if not len(self):
            return ""
        return hashlib.sha256(self.points.tobytes() + self.values.tobytes()).hexdigest()


NOWHERE = SideInformation(np.zeros((0, 2), np.float32), np.zeros((0, 0), np.float32))
