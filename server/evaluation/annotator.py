"""A simulated annotator: looks at a map, knows the truth, and clicks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from terrafine.models import simulate
from terrafine.models.metrics import VOID
from terrafine.models.simulate import Mistake
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import ConfigError

PROTOCOLS = ("ritm", "disir")
TOP_MISTAKES = 8  # DISIR: one of the largest eight, at random
POSITIONS = ("", "inside", "border", "anywhere")
Classes = NDArray[np.uint8]


@dataclass(frozen=True)
class Annotator:
    """Who clicks, and how well.

    protocol     "ritm": on the largest mistake (Sofiiuk et al. 2021); "disir": on one of the eight largest, at random
                 (Lenczner et al. 2020, section 3)
    position     "inside": deepest in the mistake; "border": on a pixel of its rim; "anywhere" in it; "": as the
                 protocol has it, inside for ritm and anywhere for disir
    by_class     the class is drawn first, evenly among those with mistakes (DISIR's class-dependent clicks)
    offset_px    standard deviation of a normal error of the place, in raster pixels, in each direction
    wrong_class  share of the clicks that name a class other than the true one
    """

    protocol: str = "ritm"
    position: str = ""
    by_class: bool = False
    offset_px: float = 0.0
    wrong_class: float = 0.0

    def __post_init__(self) -> None:
        for value, known in ((self.protocol, PROTOCOLS), (self.position, POSITIONS)):
            if value not in known:
                raise ConfigError(f"The annotator knows no '{value}'.", f"Use one of {', '.join(filter(None, known))}.")

    def click(
        self, prediction: Classes, truth: Classes, classes: Sequence[int], rng: np.random.Generator
    ) -> Optional[Annotation]:
        """The next point on a map of these `classes`; None where nothing is wrong.

        prediction, truth  uint8 (rows, columns), VOID (255) in the truth where it says nothing
        """
        mistake = self._mistake(prediction, truth, rng)
        if mistake is None:
            return None
        point = simulate.point_in(mistake, self._place(mistake, rng), rng)
        return self._blurred(point, truth.shape, classes, rng)

    def _mistake(self, prediction: Classes, truth: Classes, rng: np.random.Generator) -> Optional[Mistake]:
        wrong = np.unique(truth[(prediction != truth) & (truth != VOID)])
        if not wrong.size:
            return None
        found = simulate.mistakes(prediction, truth, [int(rng.choice(wrong))] if self.by_class else None)
        return found[0 if self.protocol == "ritm" else rng.integers(min(TOP_MISTAKES, len(found)))]

    def _place(self, mistake: Mistake, rng: np.random.Generator) -> tuple[int, int]:
        position = self.position or ("inside" if self.protocol == "ritm" else "anywhere")
        if position == "inside":
            return simulate.deepest(mistake)
        return (simulate.on_border if position == "border" else simulate.anywhere)(mistake, rng)

    def _blurred(
        self, point: Annotation, shape: tuple[int, int], classes: Sequence[int], rng: np.random.Generator
    ) -> Annotation:
        """The point with this annotator's noise; it stays inside the raster."""
        (x, y), class_id = point.vertices[0], point.class_id
        if self.offset_px:
            x, y = np.clip((x, y) + rng.normal(0, self.offset_px, 2), 0.5, np.array(shape[::-1]) - 0.5)
        others = [other for other in classes if other != class_id]
        if others and rng.random() < self.wrong_class:
            class_id = int(rng.choice(others))
        return dataclasses.replace(point, vertices=((float(x), float(y)),), class_id=class_id)
