"""How right a map is where classes meet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from terrafine.models.metrics import VOID

RADII, SMALLEST_RADIUS, SIDES_A_PIXEL = 5, 3.0, 300  # of the mean boundary accuracy
Classes = NDArray[np.uint8]


def distances(truth: Classes) -> NDArray[np.float64]:
    """Pixels from each pixel to the nearest one at a boundary, float (rows, columns); infinite where there is none.

    A pixel is at a boundary if one of its four neighbours is of another class, 0 away then. Void is no class.
    """
    at_boundary = np.zeros(truth.shape, bool)
    for axis in (0, 1):
        here, there = (np.delete(truth, end, axis) for end in (-1, 0))
        differs = (here != there) & (here != VOID) & (there != VOID)
        pad = [(0, 0), (0, 0)]
        for ends in ((0, 1), (1, 0)):
            pad[axis] = ends
            at_boundary |= np.pad(differs, pad)
    if not at_boundary.any():
        return np.full(truth.shape, np.inf)
    found: NDArray[np.float64] = distance_transform_edt(~at_boundary)
    return found


def accuracy_within(truth: Classes, classes: Classes, radii: Sequence[float]) -> list[float]:
    """Share of the right pixels among those less than each radius away from a boundary; NaN where there are none."""
    away, known = distances(truth), truth != VOID
    right = classes == truth
    return [_share(right, known & (away < radius)) for radius in radii]


def mean_boundary_accuracy(truth: Classes, classes: Classes, counted: int) -> float:
    """mBA (Cheng et al. 2020, CascadePSP): over classes and five radii, from 3 pixels to a 300th of width + height.

    Of each class alone: are the pixels near its boundary rightly in it or not? Classes without a boundary, and those
    from `counted` on, are left out.
    """
    largest = max(SMALLEST_RADIUS, sum(truth.shape) / SIDES_A_PIXEL)
    radii = np.linspace(SMALLEST_RADIUS, largest, RADII)
    found = []
    for class_id in range(counted):
        alone = np.where(truth == VOID, VOID, truth == class_id).astype(np.uint8)
        found.append(accuracy_within(alone, (classes == class_id).astype(np.uint8), tuple(radii)))
    means = [np.mean(of_class) for of_class in found if not np.isnan(of_class).any()]
    return float(np.mean(means)) if means else float("nan")


def _share(right: NDArray[np.bool_], counted: NDArray[np.bool_]) -> float:
    return float(right[counted].mean()) if counted.any() else float("nan")
