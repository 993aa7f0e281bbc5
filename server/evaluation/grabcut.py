"""GrabCut (Rother et al. 2004) from a box and clicks, by OpenCV: what single objects are without learning."""

from __future__ import annotations

import numpy as np

from terrafine.models.objects.crop import around_box
from terrafine.models.objects.measure import Found
from terrafine.models.objects.samples import SceneObject, whole_of
from terrafine.shared.errors import ConfigError
from terrafine.shared.geo import Window, intersection
from terrafine.shared.objects import ObjectGuide

MARGIN = 0.2  # around the box, as IOG has it
ROUNDS = 5
CLICK_SHARE = 0.03  # of the crop's side: how far a click is sure of what is around it


def grabcut(target: SceneObject, guide: ObjectGuide) -> Found:
    """The object in a box; what is outside the box is background, and around a click it is what the click says."""
    library = _library()
    window = intersection(around_box(guide.box, MARGIN, 1).window, whole_of(target.scene))
    rows, cols = slice(window.row, window.row_end), slice(window.col, window.col_end)
    image = np.ascontiguousarray(target.scene.image[:3, rows, cols].transpose(1, 2, 0)[..., ::-1])  # blue first
    labels = _labels(guide, window, library)
    library.setRNGSeed(0)  # its clusters start at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    library.grabCut(image, labels, None, *models, ROUNDS, library.GC_INIT_WITH_MASK)
    return Found(window, (labels == library.GC_FGD) | (labels == library.GC_PR_FGD))


def _labels(guide: ObjectGuide, window: Window, library) -> np.ndarray:  # type: ignore[no-untyped-def]
    """What is known of each pixel: uint8 (*window.shape)."""
    x, y = np.arange(window.col, window.col_end) + 0.5, np.arange(window.row, window.row_end)[:, None] + 0.5
    left, top, right, bottom = guide.box
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    labels = np.where(inside, library.GC_PR_FGD, library.GC_BGD).astype(np.uint8)
    reach = max(1.0, CLICK_SHARE * max(window.shape))
    for points, meaning in ((guide.outside, library.GC_BGD), (guide.inside, library.GC_FGD)):
        for at in points:
            labels[(x - at[0]) ** 2 + (y - at[1]) ** 2 <= reach**2] = meaning
    return labels


def _library():  # type: ignore[no-untyped-def]
    try:
        import cv2
    except ImportError as error:
        raise ConfigError("GrabCut is OpenCV's, which is missing.", "pip install 'terrafine[objects]'") from error
    return cv2
