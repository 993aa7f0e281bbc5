"""MobileNetV2 as an encoder (Sandler et al. 2018), with the padding of the TensorFlow original.

Five stages at strides 2, 4, 8, 16 and 32. The stride-2 convolutions pad the right and the bottom only ("SAME" for even
sizes), as the published ImageNet weights expect.
"""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from terrafine.models.networks.staged import Staged

# (expansion, channels, repeats, stride) of each group of inverted residuals: table 2 of the paper
GROUPS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
STEM = 32
STAGES = ((0,), (1,), (2,), (3, 4), (5, 6))  # the groups that make up each stride
CHANNELS = (16, 24, 32, 96, 320)  # of the last group of each


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and, unless linear, ReLU6."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, linear: bool = False):
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(outputs)
        )
        self.pad = kernel - stride if stride > 1 else 0
        self.linear = linear

    @property
    def convolution(self) -> nn.Conv2d:
        return cast(nn.Conv2d, self[0])

    @property
    def norm(self) -> nn.BatchNorm2d:
        return cast(nn.BatchNorm2d, self[1])

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(F.pad(x, (0, self.pad, 0, self.pad)) if self.pad else x)
        return x if self.linear else F.relu6(x)


class InvertedResidual(nn.Module):
    """Expand 1×1, filter depthwise 3×3, project 1×1; the input is added where the shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        expand = [ConvNorm(inputs, hidden, 1)] if expansion > 1 else []
        self.layers = nn.Sequential(
            *expand, ConvNorm(hidden, hidden, 3, stride, groups=hidden), ConvNorm(hidden, outputs, 1, linear=True)
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


class MobileNetV2(Staged):
    """The encoder of an image of so many `bands`.

    With an `output_stride` of 16 the last map is as fine as the one before: it is the same at each second pixel, and
    has what lies between, too.
    """

    def __init__(self, bands: int, output_stride: int = 32) -> None:
        inputs, groups = STEM, []
        for expansion, outputs, repeats, stride in GROUPS:
            blocks = [InvertedResidual(inputs, outputs, stride, expansion)]
            blocks += [InvertedResidual(outputs, outputs, 1, expansion) for _ in range(repeats - 1)]
            groups.append(nn.Sequential(*blocks))
            inputs = outputs
        stages = [nn.Sequential(*(groups[index] for index in stage)) for stage in STAGES]
        stages[0] = nn.Sequential(ConvNorm(bands, STEM, 3, 2), *stages[0])
        super().__init__(stages, CHANNELS)
        self.bands = bands
        if output_stride == 16:
            _dilate(self.stages[-1])


def _dilate(stage: nn.Module) -> None:
    """No stride, and twice the reach for what came after it (Chen et al. 2017)."""
    dilation = 1
    units = [module for module in stage.modules() if isinstance(module, ConvNorm)]
    for unit in (unit for unit in units if unit.convolution.kernel_size == (3, 3)):
        if unit.pad:
            unit.pad, dilation = 0, 2
            unit.convolution.stride, unit.convolution.padding = (1, 1), (1, 1)
        else:
            unit.convolution.dilation = unit.convolution.padding = (dilation, dilation)
