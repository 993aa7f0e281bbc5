"""Who places the marks: a simulated analyst who knows the truth, or a scripted one where there is none."""

from __future__ import annotations

from typing import Optional

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terrafine.models.simulate import next_click
from terrafine.shared.annotation import Annotation
from terrafine.shared.spec import NODATA_CLASS

Classes = NDArray[np.uint8]
DOUBTFUL_SHARE = 0.3  # of all pixels, the most uncertain ones


class Analyst:
    """Marks the deepest point of the largest mistake (RITM's protocol), again and again.

    truth  uint8 (rows, columns), 255 where it says nothing
    """

    def __init__(self, truth: Classes) -> None:
        self._truth = truth.copy()
        self._rng = np.random.default_rng(0)

    def next_mark(self, prediction: Classes) -> Optional[Annotation]:
        """The next mark for this map, uint8 (rows, columns), at the same origin; None where nothing is wrong."""
        return next_click(prediction, self._truth, self._rng)


def scripted_truth(prediction: Classes, uncertainty: Classes) -> Classes:
    """What the scripted analyst holds to be true: doubtful pixels are of the class of the nearest sure one.

    prediction   uint8 (rows, columns), 255 without data
    uncertainty  uint8 (rows, columns), 0 … 254, 255 without data

    An assumption and no knowledge: marks made from it show what marks do, not whether the map gets better.
    """
    known = prediction != NODATA_CLASS
    if not known.any():
        return prediction.copy()
    doubtful = known & (uncertainty > np.quantile(uncertainty[known], 1 - DOUBTFUL_SHARE))
    nearest = ndimage.distance_transform_edt(doubtful | ~known, return_distances=False, return_indices=True)
    return np.where(known, prediction[tuple(nearest)], np.uint8(NODATA_CLASS))
