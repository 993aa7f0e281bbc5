"""Which pixels of a map take what the refinement module says: MagNet's selection (Huynh et al. 2021, section 3.3).

A pixel is worth changing where the map so far is unsure and the refined one is sure. Logits are float32 (classes, rows,
columns) in the model's units: the softmax of logits ÷ temperature are probabilities.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from terrafine.models.certainty.uncertainty import margin

SMOOTHED_PX = 3  # side of the median filter: single pixels are not worth it
Floats = NDArray[np.float32]


def score(cumulative: Floats, refined: Floats, temperature: float) -> Floats:
    """How much each pixel calls for the refined map, float32 (rows, columns) in [0, 1].

    The uncertainty (1 − the margin between the two likeliest classes) of the map so far × the certainty of the refined
    one, smoothed by a median.
    """
    unsure, unsure_then = (margin(torch.from_numpy(map_), temperature).numpy() for map_ in (cumulative, refined))
    worth = unsure * (1.0 - unsure_then)
    smoothed: Floats = median_filter(worth, SMOOTHED_PX, mode="nearest")
    return smoothed


def best(scores: NDArray[np.floating], share: float) -> NDArray[np.bool_]:
    """The `share` of places with the highest scores, rounded up; all that are as high as the last of them, too."""
    count = math.ceil(share * scores.size)
    if count == 0:
        return np.zeros(scores.shape, bool)
    return scores >= np.partition(scores, scores.size - count, axis=None)[scores.size - count]


def merged(cumulative: Floats, refined: Floats, share: float, temperature: float) -> Floats:
    """The map so far, and in the `share` of pixels with the highest score the refined one."""
    if share >= 1.0:
        return refined
    return np.where(best(score(cumulative, refined, temperature), share), refined, cumulative)
