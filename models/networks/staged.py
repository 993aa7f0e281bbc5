"""Encoders as five stages in a row, so that a network can step in between two of them.

Map i, at stride 2^(i + 1), is what stage i makes of the map before it. MobileNetV2 is built that way; the ResNets and
VGGs of segmentation-models-pytorch are taken apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from terrafine.shared.errors import UnusableModel

PIECEWISE = "piecewise"  # an attribute of such modules, see `used_piecewise`


class Staged(nn.Module):
    """Image (B, bands, H, W), H and W multiples of 32 → five maps (B, channels[i], H / 2^(i+1), W / 2^(i+1))."""

    def __init__(self, stages: Sequence[nn.Module], channels: tuple[int, ...]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.channels = channels

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def staged(encoder: nn.Module, name: str) -> Staged:
    """An encoder of segmentation-models-pytorch; raises UnusableModel for one that is neither a ResNet nor a VGG."""
    from segmentation_models_pytorch.encoders.resnet import ResNetEncoder
    from segmentation_models_pytorch.encoders.vgg import VGGEncoder

    if isinstance(encoder, ResNetEncoder):
        stages = [
            nn.Sequential(encoder.conv1, encoder.bn1, encoder.relu),
            nn.Sequential(encoder.maxpool, encoder.layer1),
            encoder.layer2, encoder.layer3, encoder.layer4,
        ]  # fmt: skip
    elif isinstance(encoder, VGGEncoder):
        stages = _vgg_stages(encoder.features)
    else:
        raise UnusableModel(f"'{name}' cannot be taken apart.", "SideInfNet takes MobileNetV2, ResNets and VGGs.")
    return Staged(stages, tuple(encoder.out_channels[1:]))


def _vgg_stages(layers: nn.Sequential) -> list[nn.Module]:
    """Stage i ends before the pooling that would lead beyond its stride; the last pooling is part of the last one."""
    pools = [index for index, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
    borders = [0, *pools[1:], len(layers)]
    return [layers[start:end] for start, end in zip(borders, borders[1:])]


def used_piecewise(encoder: nn.Module) -> None:
    """Mark an encoder as one whose units are called one by one: nothing may melt them together."""
    for module in encoder.modules():
        if type(module) is nn.Sequential or module is encoder:
            setattr(module, PIECEWISE, True)


def units(stage: nn.Module) -> Iterator[nn.Module]:
    """The units of a stage, in the order in which they run."""
    if type(stage) is not nn.Sequential:  # a subclass is a unit of its own
        yield stage
        return
    for child in stage:
        yield from units(child)


def is_residual(unit: nn.Module) -> bool:
    """Does the unit add something to its input? Then it can be left out."""
    if hasattr(unit, "residual"):  # MobileNetV2's
        return bool(unit.residual)
    return getattr(unit, "downsample", unit) is None  # of torchvision's blocks
