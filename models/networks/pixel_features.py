"""What a pixel is like, for any number of bands: its values, those around it, and how its bands compare.

Of each band the value, and the mean and the standard deviation in a small and a larger window; of pairs of bands the
normalised difference (a − b) / (a + b), as NDVI is one of near infrared and red. All pairs up to five bands; of more,
those of bands that are one or two apart in their circle.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

RADII = (2, 7)  # of the windows, in pixels
EPSILON = 1e-3  # keeps the difference of two dark bands small


def pixel_features(image: Tensor) -> Tensor:
    """Image (B, bands, H, W) in [0, 1] → (B, count(bands), H, W), in about [−1, 1]."""
    maps = [image]
    for radius in RADII:
        mean = box_mean(image, radius)
        maps += [mean, (box_mean(image.square(), radius) - mean.square()).clamp_min(0).sqrt()]
    for first, second in pairs(image.shape[1]):
        a, b = image[:, first], image[:, second]
        maps.append(((a - b) / (a + b + EPSILON))[:, None])
    return torch.cat(maps, 1)


def count(bands: int) -> int:
    """How many features `pixel_features` gives."""
    return bands * (1 + 2 * len(RADII)) + len(pairs(bands))


def pairs(bands: int) -> list[tuple[int, int]]:
    """The bands that are compared: (lower, higher)."""
    return sorted({(min(i, j), max(i, j)) for i in range(bands) for j in ((i + 1) % bands, (i + 2) % bands) if i != j})


def box_mean(image: Tensor, radius: int) -> Tensor:
    """The mean over the part of each pixel's window, 2 · radius + 1 a side, that lies inside."""
    size = 2 * radius + 1
    rows = F.avg_pool2d(image, (size, 1), 1, (radius, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, size), 1, (0, radius), count_include_pad=False)
