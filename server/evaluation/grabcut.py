"""GrabCut (Rother et al. 2004) from a box and clicks, by OpenCV: what single objects are without learning."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from terrafine.models.networks.grabcut import foreground, opencv
from terrafine.models.objects.crop import around_box
from terrafine.models.objects.measure import Found
from terrafine.models.objects.samples import SceneObject, whole_of
from terrafine.shared.geo import Window, intersection
from terrafine.shared.objects import ObjectGuide

MARGIN = 0.2  # around the box, as IOG has it
ROUNDS = 5
CLICK_SHARE = 0.03  # of the crop's side: how far a click is sure of what is around it


def grabcut(target: SceneObject, guide: ObjectGuide) -> Found:
    """The object in a box; what is outside the box is background, and around a click it is what the click says."""
    window = intersection(around_box(guide.box, MARGIN, 1).window, whole_of(target.scene))
    rows, cols = slice(window.row, window.row_end), slice(window.col, window.col_end)
    image = target.scene.image[:3, rows, cols].transpose(1, 2, 0)
    return Found(window, foreground(image, _labels(guide, window), ROUNDS))


def _labels(guide: ObjectGuide, window: Window) -> NDArray[np.uint8]:
    """What is known of each pixel: uint8 (*window.shape)."""
    cv = opencv()
    x, y = np.arange(window.col, window.col_end) + 0.5, np.arange(window.row, window.row_end)[:, None] + 0.5
    left, top, right, bottom = guide.box
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    labels = np.where(inside, cv.GC_PR_FGD, cv.GC_BGD).astype(np.uint8)
    reach = max(1.0, CLICK_SHARE * max(window.shape))
    for points, meaning in ((guide.outside, cv.GC_BGD), (guide.inside, cv.GC_FGD)):
        for at in points:
            labels[(x - at[0]) ** 2 + (y - at[1]) ** 2 <= reach**2] = meaning
    return labels
