"""Marks or learning? What suits a mistake, from what marks did to the map (Lenczner et al. 2022, section III-E).

DIAL finds annotations alone at their best for small mistakes in a good map, and retraining for large mistakes in a bad
one. Neither the size of a mistake nor the quality of a map is known where there is no truth, so signs of them stand in:
the region that the marks contradict, what they changed, and how sure the map is around. Against the
better constant answer it is no better (docs/benchmarks.md): whether one mark is enough to learn from depends on the
scene more than on the mistake, so the threshold is set to make the advice to learn rare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terrafine.models.encoding.encode import UNMARKED

AROUND_PX = 32  # model pixels around what changed that count as its neighbourhood
SMALL_PX = 1000.0  # a mistake of fewer model pixels is small
UNSURE = 0.52  # a map is unsure below that certainty


MARK, LEARN = "mark", "learn"

Classes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Signs:
    """What new marks say about the mistake that they correct.

    changed_px  raster pixels whose class is another than before the marks
    mistake_px  how large the mistake is, probably, in model pixels: what changed, together with the regions of one
                class before in which a mark names another, as far as they lie in the neighbourhood of what changed
    certainty   mean of 1 − uncertainty in that neighbourhood, 0 … 1
    """

    changed_px: int
    mistake_px: float
    certainty: float


@dataclass(frozen=True)
class Advised:
    """`action` is "mark" or "learn"; `reason` says why, for a person."""

    action: str
    reason: str
    changed_px: int
    certainty: float


def advise(
    before: Classes,
    after: Classes,
    uncertainty: NDArray[np.float32],
    marked: NDArray[np.int16],
    valid: Mask,
    scale: float = 1.0,
) -> Advised:
    """What to do after these marks; all arrays are (rows, columns) of the same part of the raster.

    before, after  class ids without and with the new marks
    uncertainty    of the map `after`, 0 … 1
    marked         the class of each pixel of the new marks, UNMARKED (−1) elsewhere
    valid          where there is data
    scale          model pixels to a raster pixel: sizes are judged at the model's scale
    """
    signs = read_signs(before, after, uncertainty, marked, valid, scale)
    action, reason = judge(signs)
    return Advised(action, reason, signs.changed_px, signs.certainty)


def judge(signs: Signs) -> tuple[str, str]:
    """(action, reason)."""
    if signs.mistake_px < SMALL_PX:
        return MARK, "The mistake is small: marks are enough."
    if signs.certainty < UNSURE:
        return LEARN, "The map is unsure around here: it has something to learn."
    return MARK, "The map is sure of itself around here: marks are enough."


def read_signs(
    before: Classes,
    after: Classes,
    uncertainty: NDArray[np.float32],
    marked: NDArray[np.int16],
    valid: Mask,
    scale: float = 1.0,
) -> Signs:
    """The signs; arguments as of `advise`."""
    changed = (before != after) & valid
    touched = (changed | (marked != UNMARKED)) & valid
    near = _around(touched, AROUND_PX / scale) & valid
    mistake = changed | (_contradicted(before, marked) & near)
    certainty = 1.0 - float(uncertainty[near].mean()) if near.any() else 1.0
    return Signs(int(changed.sum()), float(mistake.sum()) * scale**2, certainty)


def agreement(advised: Sequence[str], better: Sequence[str]) -> tuple[float, float]:
    """How often the advice was what was really better, and how often the better of the two constant answers is."""
    right = np.asarray(advised) == np.asarray(better)
    learning = float((np.asarray(better) == LEARN).mean())
    return float(right.mean()), max(learning, 1.0 - learning)


def _contradicted(before: Classes, marked: NDArray[np.int16]) -> Mask:
    """The regions of one class in which a mark names another."""
    contradicted = np.zeros(before.shape, bool)
    wrong = (marked != UNMARKED) & (marked != before)
    for class_id in np.unique(before[wrong]):
        regions, _ = ndimage.label(before == class_id)
        contradicted |= np.isin(regions, np.unique(regions[wrong & (before == class_id)]))
    return contradicted


def _around(mask: Mask, reach_px: float) -> Mask:
    """All pixels within reach of the mask."""
    if not mask.any():
        return mask
    near: Mask = ndimage.distance_transform_edt(~mask) <= reach_px
    return near
