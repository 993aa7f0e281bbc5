"""What the colours of a scene say of its classes, learnt from marks at once (`learning/scene.py`).

At every cell of 4 × 4 pixels

    s = W · √2 cos(Ω c + φ) + b

c     colours: of each band the mean of the cell, and those of the 3 × 3 and 7 × 7 cells around it, standardised by
      those of the scene that it was learnt on
Ω, φ  random waves, drawn once (Rahimi and Recht 2007): what is linear in them is about a kernel machine on c

is added to the logits of a network. Little can be learnt of a network's many maps from a few marks; of colours it can.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from terrafine.models.networks.pixel_features import box_mean

CELL_PX = 4
RADII = (1, 3)
WAVES = 200
FREQUENCY = 0.5  # standard deviation of Ω
EVEN = 1e-3  # a colour that varies less says nothing


def colours(image: Tensor) -> Tensor:
    """Image (B, bands, H, W) → (B, 3 · bands, H / 4, W / 4), float32."""
    mean = F.avg_pool2d(image.float(), CELL_PX)
    return torch.cat([mean, *(box_mean(mean, radius) for radius in RADII)], 1)


def of_cells(seen: Tensor) -> Tensor:
    """Of those colours the cells' own, (B, bands, H / 4, W / 4)."""
    return seen[:, : seen.shape[1] // (1 + len(RADII))]


class SceneLayer(nn.Module):
    """So many colours (B, n, h, w) → logits of so many classes (B, classes, h, w); 0 at the start."""

    mean: Tensor
    scale: Tensor
    frequencies: Tensor
    phases: Tensor

    def __init__(self, colours: int, classes: int) -> None:
        super().__init__()
        chance = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.zeros(classes, WAVES))
        self.bias = nn.Parameter(torch.zeros(classes))
        self.register_buffer("mean", torch.zeros(colours))
        self.register_buffer("scale", torch.ones(colours))
        self.register_buffer("frequencies", FREQUENCY * torch.randn(WAVES, colours, generator=chance))
        self.register_buffer("phases", 2 * torch.pi * torch.rand(WAVES, generator=chance))

    def forward(self, seen: Tensor) -> Tensor:
        with torch.autocast(seen.device.type, enabled=False):  # sums of many waves need their digits
            return F.conv2d(self.waves(seen), self.weight[..., None, None], self.bias)

    def waves(self, seen: Tensor) -> Tensor:
        """(B, WAVES, h, w), of which the layer is a linear function."""
        standard = (seen - self.mean[:, None, None]) / self.scale[:, None, None]
        return F.conv2d(standard, self.frequencies[..., None, None], self.phases).cos() * 2**0.5

    def standardise(self, seen: Tensor) -> None:
        """Take these colours (N, n) for those of the scene."""
        self.mean, self.scale = seen.mean(0), seen.std(0) + EVEN
