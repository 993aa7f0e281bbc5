"""IOG (Zhang et al. 2020, supplement section 1): one object from a click inside it and a loose box around it.

CoarseNet   an encoder that ends at stride 16 (last block of stride 1, dilation 2), a pyramid pooling module (PSP), and
            a pyramid from the top down, with a side output at each of its four levels
FineNet     3, 2, 1 and 0 residual blocks on the levels, the deepest first; all upsampled to stride 4, concatenated, one
            more block, a 3×3 convolution
refinement  heat maps of all clicks through four strided convolutions and one 1×1, beside the encoder's last map

The encoder sees the first clicks only, so it runs once an object; a further click runs what comes after it. Widths are
about a quarter of the paper's, for a laptop's CPU.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from terrafine.models.networks.layers import conv_norm_relu
from terrafine.models.networks.network import Features
from terrafine.models.networks.object_network import ObjectNetwork

WIDTHS = (32, 48, 64, 96)  # of the pyramid at strides 4, 8, 16 and 16
LEVELS = slice(1, 5)  # of the encoder's five maps
BINS = (1, 2, 3, 6)  # of the pyramid pooling
FINE = 32  # FineNet's width
FINE_BLOCKS = (0, 1, 2, 3)
CLICK_WIDTHS = (16, 32, 64, 64)
CLICKS_OUT = 64


class IOG(ObjectNetwork):
    """Takes an encoder of `bands` + 2 channels whose five maps have `channels`, at strides 2, 4, 8, 16 and 16."""

    def __init__(self, encoder: nn.Module, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.encoder = encoder
        self.laterals = nn.ModuleList(conv_norm_relu(c, width, 1) for c, width in zip(channels[LEVELS], WIDTHS))
        self.clicks = _click_branch()
        self.pooling = PyramidPooling(WIDTHS[-1] + CLICKS_OUT, WIDTHS[-1])
        self.reduce = nn.ModuleList(conv_norm_relu(deep, width, 1) for width, deep in zip(WIDTHS, WIDTHS[1:]))
        self.fuse = nn.ModuleList(conv_norm_relu(2 * width, width, 3) for width in WIDTHS[:-1])
        self.sides = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in WIDTHS)
        self.fine = FineNet()

    def features(self, image: Tensor, guidance: Tensor) -> Features:
        """See ObjectNetwork.features: the encoder's maps at four levels, projected to the pyramid's widths."""
        maps = self.encoder(torch.cat([image, guidance.to(image.dtype)], dim=1))[LEVELS]
        return tuple(project(x) for project, x in zip(self.laterals, maps))

    def decode(self, features: Features, guidance: Tensor) -> list[Tensor]:
        """See ObjectNetwork.decode: the side outputs, the deepest first, then FineNet's."""
        levels = self._pyramid(features, self.clicks(guidance))
        outputs = [side(x) for side, x in zip(self.sides, levels)][::-1]
        return [_grown(x, guidance)[:, 0] for x in (*outputs, self.fine(levels))]

    def _pyramid(self, features: Features, clicks: Tensor) -> list[Tensor]:
        """The maps (B, WIDTHS[i], h, w) of the four levels, the finest first."""
        x = self.pooling(torch.cat([features[-1], clicks], dim=1))
        levels = [x]
        for reduce, fuse, lateral in list(zip(self.reduce, self.fuse, features))[::-1]:
            x = fuse(torch.cat([_grown(reduce(x), lateral), lateral], dim=1))
            levels.insert(0, x)
        return levels


class PyramidPooling(nn.Module):
    """PSP (Zhao et al. 2017): means over 1, 2, 3 and 6 bins a side beside the map itself, then a 3×3 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        share = outputs // len(BINS)
        # One bin gives each channel a single value an image: no norm, which needs more of them in training.
        self.pooled = nn.ModuleList(nn.Sequential(nn.Conv2d(inputs, share, 1), nn.ReLU()) for _ in BINS)
        self.mix = conv_norm_relu(inputs + share * len(BINS), outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        means = [_grown(unit(F.adaptive_avg_pool2d(x, bins)), x) for unit, bins in zip(self.pooled, BINS)]
        y: Tensor = self.mix(torch.cat([x, *means], dim=1))
        return y


class FineNet(nn.Module):
    """The pyramid's four maps, the finest first → logits (B, 1, h, w) of the finest."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(*(Bottleneck(width) for _ in range(count)), conv_norm_relu(width, FINE, 1))
            for width, count in zip(WIDTHS, FINE_BLOCKS)
        )
        self.last = Bottleneck(FINE * len(WIDTHS))
        self.head = nn.Conv2d(FINE * len(WIDTHS), 1, 3, padding=1)

    def forward(self, levels: list[Tensor]) -> Tensor:
        maps = [_grown(blocks(x), levels[0]) for blocks, x in zip(self.levels, levels)]
        logits: Tensor = self.head(self.last(torch.cat(maps, dim=1)))
        return logits


class Bottleneck(nn.Module):
    """ResNet's: 1×1 to a quarter, 3×3, 1×1 back; the input is added (figure 1c of the supplement)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        middle = width // 4
        self.narrow = nn.Sequential(conv_norm_relu(width, middle, 1), conv_norm_relu(middle, middle, 3))
        self.widen = nn.Sequential(nn.Conv2d(middle, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.widen(self.narrow(x)))


def _click_branch() -> nn.Sequential:
    """Heat maps (B, 2, T, T) → (B, CLICKS_OUT, T / 16, T / 16)."""
    strided = [conv_norm_relu(i, o, 3, stride=2) for i, o in zip((2, *CLICK_WIDTHS[:-1]), CLICK_WIDTHS)]
    return nn.Sequential(*strided, conv_norm_relu(CLICK_WIDTHS[-1], CLICKS_OUT, 1))


def _grown(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)
