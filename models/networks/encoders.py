"""Encoders by name: our own, and those of segmentation-models-pytorch."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from terrafine.models.networks.linknet import WIDTHS
from terrafine.models.networks.mobilenet import MobileNetV2
from terrafine.models.networks.staged import Staged, staged
from terrafine.shared.errors import UnusableModel

OWN = "mobilenet_v2_same"  # mobilenet.py; all other names are the library's


def with_maps(name: str, bands: int, output_stride: int = 32) -> tuple[nn.Module, tuple[int, ...]]:
    """An encoder with five maps and their channels; raises UnusableModel for a name that has none."""
    if name == OWN:
        encoder = MobileNetV2(bands, output_stride)
        return encoder, encoder.channels
    inner = _from_library(name, bands, output_stride)
    channels = tuple(inner.out_channels[1:])
    if len(channels) != len(WIDTHS) or 0 in channels:
        raise UnusableModel(f"The encoder '{name}' lacks a map at one of the strides 2 to 32.", "Use early fusion.")
    return _WithoutInput(inner), channels


def in_stages(name: str, bands: int) -> Staged:
    """An encoder that a network can step into between two stages; raises UnusableModel for a name that has none."""
    return MobileNetV2(bands) if name == OWN else staged(_from_library(name, bands), name)


def library(wanted: str) -> Any:
    """segmentation-models-pytorch, which the name `wanted` is of; raises UnusableModel where it is missing."""
    try:
        import segmentation_models_pytorch
    except ImportError as error:
        raise UnusableModel(
            f"'{wanted}' comes from segmentation-models-pytorch, which is not installed.",
            "pip install 'terrafine[backbones]'",
        ) from error
    return segmentation_models_pytorch


def _from_library(name: str, bands: int, output_stride: int = 32) -> Any:
    try:
        return library(name).encoders.get_encoder(
            name, in_channels=bands, depth=5, weights=None, output_stride=output_stride
        )
    except (KeyError, ValueError, RuntimeError) as error:
        raise UnusableModel(f"There is no encoder '{name}' for late fusion: {error}.") from error


class _WithoutInput(nn.Module):
    """The library's encoders return the image first; ours do not."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        maps: list[torch.Tensor] = list(self.inner(image))[1:]
        return maps
