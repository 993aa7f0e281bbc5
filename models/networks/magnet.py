"""MagNet's refinement module (Huynh et al. 2021): two maps of one place in, a better one out.

The layers are the paper's: batch norm of both maps' probabilities, two 3×3 convolutions of 64 channels, two bottlenecks
of 32 and 128, and a last layer. Two things differ. With a `stride` above 1 the layers in between run on a coarser grid,
which costs 1 / stride² of the time: at full size this module takes ten times as long as the MobileNet that it refines.
And what comes out is added to a weighted sum of both maps' log-probabilities, so that an untrained module gives their
geometric mean, and their finest details need not pass through the coarser grid.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from terrafine.models.networks.layers import conv_norm_relu

WIDTH, NARROW, WIDE = 64, 32, 128
FLOOR = 1e-6  # of probabilities, before the logarithm


class Refiner(nn.Module):
    """Probabilities of a coarser map, brought to the finer one's pixels, and of the finer → logits.

    All are (B, classes, H, W); H and W are multiples of `stride`. The order of the two counts.
    """

    strength: Tensor

    def __init__(self, classes: int, stride: int = 4) -> None:
        super().__init__()
        self.classes, self.stride = classes, stride
        self.weights = nn.Parameter(torch.tensor([0.5, 0.5]))  # of the coarser map and the finer
        self.register_buffer("strength", torch.tensor(1.0))  # of what the layers add; without any they need not run
        self.norm = nn.BatchNorm2d(2 * classes)
        self.stem = conv_norm_relu(2 * classes, WIDTH, 2 * stride + 1, stride)
        self.mix = conv_norm_relu(WIDTH, WIDTH, 3)
        self.blocks = nn.Sequential(Bottleneck(WIDTH), Bottleneck(WIDE))
        self.head = nn.ConvTranspose2d(WIDE, classes, stride, stride)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        first, second = (map_.clamp_min(FLOOR).log() for map_ in (coarse, fine))
        mean = self.weights[0] * first + self.weights[1] * second
        return mean + self.strength * self._change(coarse, fine) if self.strength else mean

    def _change(self, coarse: Tensor, fine: Tensor) -> Tensor:
        x = self.norm(torch.cat([coarse, fine], dim=1))
        change: Tensor = self.head(self.blocks(self.mix(self.stem(x))))
        return change


class Bottleneck(nn.Module):
    """ResNet's: 1×1 to NARROW, 3×3, 1×1 to WIDE, beside a shortcut."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            conv_norm_relu(inputs, NARROW, 1), conv_norm_relu(NARROW, NARROW, 3), *_linear(NARROW, WIDE)
        )
        self.shortcut = nn.Sequential(*_linear(inputs, WIDE)) if inputs != WIDE else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.inner(x) + self.shortcut(x))


def save(path: Path, refiner: Refiner) -> None:
    save_file({name: tensor.contiguous() for name, tensor in refiner.state_dict().items()}, path)


def load(path: Path) -> Refiner:
    """What `save` wrote, in evaluation mode; raises OSError, SafetensorError, KeyError or RuntimeError otherwise."""
    tensors = load_file(path)
    _, classes, stride, _ = tensors["head.weight"].shape
    refiner = Refiner(classes, stride)
    refiner.load_state_dict(tensors)
    return refiner.eval()


def _linear(inputs: int, outputs: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    return nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
