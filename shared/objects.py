"""One object on a raster as the protocol carries it: a box around it, and clicks inside and outside."""

from __future__ import annotations

import math
from dataclasses import dataclass

from terrafine.shared.geo import Window

Box = tuple[float, float, float, float]
Points = tuple[tuple[float, float], ...]
MOST_CLICKS = 100
SMALLEST_BOX_PX, LARGEST_BOX_PX = 2.0, 2048.0


@dataclass(frozen=True)
class ObjectGuide:
    """What an analyst says about one object, in raster pixel coordinates; what makes no sense raises ValueError.

    box      (left, top, right, bottom): loose, with all of the object in it
    inside   points in the object; the first tells it from what else is in the box, the middle of the box does without
    outside  points beside it
    """

    box: Box
    inside: Points = ()
    outside: Points = ()

    def __post_init__(self) -> None:
        left, top, right, bottom = self.box
        if not all(SMALLEST_BOX_PX <= side <= LARGEST_BOX_PX for side in (right - left, bottom - top)):
            raise ValueError(f"the sides of a box are {SMALLEST_BOX_PX:g} to {LARGEST_BOX_PX:g} pixels")
        if len(self.inside) + len(self.outside) > MOST_CLICKS:
            raise ValueError(f"an object has at most {MOST_CLICKS} clicks")

    @property
    def window(self) -> Window:
        """The pixels that the box touches."""
        left, top, right, bottom = self.box
        col, row = math.floor(left), math.floor(top)
        return Window(col, row, math.ceil(right) - col, math.ceil(bottom) - row)

    @property
    def first_inside(self) -> tuple[float, float]:
        """The first click inside, or the middle of the box."""
        left, top, right, bottom = self.box
        return self.inside[0] if self.inside else ((left + right) / 2, (top + bottom) / 2)
