"""The majority filter."""

from __future__ import annotations

import numpy as np

from terrafine.qgis_plugin.finish.borders import NO_CLASS


def majority(classes: np.ndarray, radius_px: int) -> np.ndarray:
    """The most frequent class in a square of 2 · radius_px + 1 pixels around each pixel; int32 (rows, columns).

    What has no class gets none and has no vote; where others only draw level with it, a pixel keeps its class.
    """
    best, votes = classes.copy(), np.zeros(classes.shape, np.int32)
    ids = [class_id for class_id in np.unique(classes).tolist() if class_id != NO_CLASS]
    counts = {class_id: _box_sums(classes == class_id, radius_px) for class_id in ids}
    for class_id in ids:
        votes[classes == class_id] = counts[class_id][classes == class_id]
    for class_id in ids:
        wins = (counts[class_id] > votes) & (classes != NO_CLASS)
        best[wins], votes[wins] = class_id, counts[class_id][wins]
    return best


def _box_sums(mask: np.ndarray, radius: int) -> np.ndarray:
    """How many are true in the square around each pixel, int32; outside the array nothing is."""
    side = 2 * radius + 1
    sums = (
        np.pad(mask, ((radius + 1, radius), (radius + 1, radius)))
        .astype(np.int32)
        .cumsum(axis=0, dtype=np.int32)
        .cumsum(axis=1, dtype=np.int32)
    )
    return sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
