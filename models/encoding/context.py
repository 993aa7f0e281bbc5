"""Encodings that look at what is around a mark: the image's edges, or the map without marks (DIAL, appendix A).

Both start from the channels of the distance transform and never reach further, so that a mark touches the same tiles.
Both depend on the window as well as on the marks, up to its border: see `encode.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Optional

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terrafine.shared.spec import EncodingSpec, ModelSpec

CORE_PX = 0.75  # a pixel so near to a mark carries it: the one that a point lies in does
TINY = 1e-9  # below any mean that a marked pixel leads to
SMOOTH = 1e-3  # the guided filter's ε: the variance of the guide, in [0, 1], up to which it smooths
Floats = NDArray[np.float32]
Context = NDArray[np.generic]


def context_of(spec: ModelSpec, image: Floats, plain: Callable[[], Floats]) -> Optional[Context]:
    """What the model's encoding needs of a window besides its marks; the same function for training and serving.

    image   float32 (bands, rows, columns), normalised
    plain   gives the logits (classes, rows, columns) without marks
    return  "guided": the image, float32 in [0, 1]; "component": the classes (rows, columns); None for other kinds
    """
    if spec.encoding.kind == "guided":
        mean = np.asarray(spec.normalisation.mean, np.float32)[:, None, None]
        std = np.asarray(spec.normalisation.std, np.float32)[:, None, None]
        return np.clip(image * std + mean, 0.0, 1.0)
    return plain().argmax(0) if spec.encoding.kind == "component" else None


def along_edges(values: Floats, image: Context, spec: EncodingSpec) -> Floats:
    """A channel of the distance transform (rows, columns), less where the image has an edge before the mark.

    It is weighted by what the guided filter, with the mean of the image's bands as its guide, makes of the pixels that
    carry a mark, relative to the same filter without a guide, and at most 1: by 1 where the image is flat, by about 0
    across an edge. A pixel's value depends on those within `radius_px` + 3 of it.
    """
    core, radius = _core(values, spec).astype(np.float64), math.ceil((spec.radius_px + 1) / 2)
    guided = guided_filter(core, image.mean(0, np.float64), radius, SMOOTH)
    plain = _box_mean(_box_mean(core, radius), radius)
    weight = np.divide(guided, plain, out=np.zeros_like(plain), where=(values > 0) & (plain > TINY))
    return np.where(core > 0, values, values * np.clip(weight, 0.0, 1.0)).astype(np.float32)


def within_component(values: Floats, classes: Context, spec: EncodingSpec) -> Floats:
    """A channel of the distance transform, where `classes` (rows, columns) leads from a mark to the pixel.

    That is along neighbours by a side of one class, all of them within reach of a mark.
    """
    core, kept = _core(values, spec), np.zeros(values.shape, bool)
    for class_id in np.unique(classes[core]):
        parts, _ = ndimage.label((classes == class_id) & (values > 0))
        met = np.unique(parts[core])
        kept |= np.isin(parts, met[met > 0])
    return np.where(kept | core, values, np.float32(0.0))


IN_CONTEXT: dict[str, Callable[[Floats, Context, EncodingSpec], Floats]] = {
    "guided": along_edges,
    "component": within_component,
}


def guided_filter(
    values: NDArray[np.float64], guide: NDArray[np.float64], radius: int, smooth: float
) -> NDArray[np.float64]:
    """Smooth `values` but not across the edges of `guide`, both (rows, columns): He et al. 2010, equations 5, 6 and 8.

    Windows of 2 · radius + 1 pixels a side, cut off at the border.
    """
    mean_value, mean_guide = _box_mean(values, radius), _box_mean(guide, radius)
    covariance = _box_mean(guide * values, radius) - mean_guide * mean_value
    variance = _box_mean(guide * guide, radius) - mean_guide**2
    slope = covariance / (variance + smooth)
    shift = mean_value - slope * mean_guide
    return _box_mean(slope, radius) * guide + _box_mean(shift, radius)


def _box_mean(values: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """The mean over the part of each pixel's window that lies inside."""
    size = 2 * radius + 1
    inside = ndimage.uniform_filter(np.ones_like(values), size, mode="constant")
    mean: NDArray[np.float64] = ndimage.uniform_filter(values, size, mode="constant") / inside
    return mean


def _core(values: Floats, spec: EncodingSpec) -> NDArray[np.bool_]:
    """The pixels that a mark lies on, from the distance transform."""
    return (values > 0) & (values >= 1.0 - CORE_PX / spec.radius_px)
