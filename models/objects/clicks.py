"""A simulated analyst who points at one object: a loose box, a click deep inside, then the middle of what is wrong."""

from __future__ import annotations

from typing import Optional

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terrafine.models import simulate
from terrafine.models.metrics import VOID
from terrafine.shared.objects import Box

Mask = NDArray[np.bool_]
Truth = NDArray[np.uint8]
TIGHT_PX = 1.0  # nobody draws a box closer than that


def loose_box(tight: Box, shares: NDArray[np.float64]) -> Box:
    """The box grown on its left, top, right and bottom by `shares` (4,) of its sides, by TIGHT_PX at least."""
    left, top, right, bottom = tight
    sides = np.array([right - left, bottom - top, right - left, bottom - top])
    grow = np.maximum(shares * sides, TIGHT_PX)
    return float(left - grow[0]), float(top - grow[1]), float(right + grow[2]), float(bottom + grow[3])


def click_inside(mask: Mask, rng: Optional[np.random.Generator] = None) -> tuple[float, float]:
    """(x, y) of the pixel of the mask that is farthest from its edge; with `rng`, of any that is half as far."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    deep = np.flatnonzero(depth >= depth.max() / (2 if rng is not None else 1))
    row, col = divmod(int(rng.choice(deep) if rng is not None else deep[0]), mask.shape[1])
    return col + 0.5, row + 0.5


def next_click(found: Mask, truth: Truth) -> Optional[tuple[bool, tuple[float, float]]]:
    """(is it inside the object?, (x, y)): deepest inside the largest mistake; None where nothing is wrong.

    found  bool (rows, columns);  truth  uint8, 1 for the object, 0 beside it, VOID where that is not known
    """
    mistakes = simulate.mistakes(found.astype(np.uint8), truth)
    if not mistakes:
        return None
    row, col = simulate.deepest(mistakes[0])
    top, left = mistakes[0].box[0].start, mistakes[0].box[1].start
    return mistakes[0].class_id == 1, (left + col + 0.5, top + row + 0.5)


def iou(found: Mask, truth: Truth) -> float:
    """Intersection over union with the object, void left out; 1 where neither has a pixel."""
    known = truth != VOID
    both, either = (found & (truth == 1)).sum(), ((found | (truth == 1)) & known).sum()
    return float(both / either) if either else 1.0
