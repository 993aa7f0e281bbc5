"""The square of an image that a network sees of an object, in training and in serving.

A box is (left, top, right, bottom) in pixel coordinates of the image (see shared/geo.py). Its *crop* is a square window
of whole pixels around its middle, relaxed by a margin on each side, and resized to a fixed number of pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from terrafine.models.normalise import resized, to_network
from terrafine.shared.geo import Window
from terrafine.shared.objects import Box, Points
from terrafine.shared.spec import ModelSpec

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Crop:
    """`window`, square, may reach outside the image; the network sees it with `size_px` pixels a side."""

    window: Window
    size_px: int

    @property
    def scale(self) -> float:
        """Pixels of the network to a pixel of the image."""
        return self.size_px / self.window.width

    def points(self, points: Points) -> Points:
        """Points in the crop's pixel coordinates, given the image's."""
        scale, left, top = self.scale, self.window.col, self.window.row
        return tuple(((x - left) * scale, (y - top) * scale) for x, y in points)


def around_box(box: Box, margin: float, size_px: int) -> Crop:
    """The crop of a box: its longer side and `margin`, a share of that, on each side."""
    left, top, right, bottom = box
    side = max(right - left, bottom - top) * (1 + 2 * margin)
    return around_point(((left + right) / 2, (top + bottom) / 2), side, size_px)


def around_point(point: tuple[float, float], side_px: float, size_px: int) -> Crop:
    """The crop of at least `side_px` pixels a side around a point."""
    side = max(1, math.ceil(side_px))
    return Crop(Window(round(point[0] - side / 2), round(point[1] - side / 2), side, side), size_px)


def image_of(unit: Floats, valid: Mask, crop: Crop, spec: ModelSpec) -> Floats:
    """What the network sees: float32 (bands, size_px, size_px), normalised; 0, the mean, where there is no data.

    unit   float32 (bands, *crop.window.shape) in [0, 1]
    valid  bool of that shape; also False outside the image
    """
    return resized(to_network(unit, valid, spec), crop.size_px)


def restored(logits: Floats, crop: Crop) -> Floats:
    """Logits float32 (size_px, size_px) of a crop at the image's pixels: float32 crop.window.shape."""
    tensor = torch.from_numpy(logits)[None, None]
    result: Floats = F.interpolate(tensor, crop.window.shape, mode="bilinear", antialias=True)[0, 0].numpy()
    return result
