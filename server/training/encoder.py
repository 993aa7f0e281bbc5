"""Start a network's encoder from weights that somebody trained before: a zoo model's, or published ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from terrafine.models import registry
from terrafine.models.networks import encoders, pretrained
from terrafine.models.networks.mobilenet import MobileNetV2
from terrafine.server.training.configuration import TrainingConfig
from terrafine.shared.errors import ConfigError

UNFOLD_BATCHES = 8


def start_encoder(config: TrainingConfig, root: Path, network: nn.Module, shown: Callable[[int], Tensor]) -> None:
    """Load the encoder that the file names, if it names one: that of a zoo model as it is, or a published one.

    shown   the images of a step (B, channels, T, T), channels that they lack are empty: the norms of a published
            encoder are given the statistics of those of steps that training does not reach

    Raises ConfigError where there are no such weights, or the encoder is another.
    """
    if config.encoder_weights is None:
        return
    encoder = next((module for module in network.modules() if isinstance(module, MobileNetV2)), None)
    known, path = registry.zoo(), root / config.encoder_weights
    if encoder is None or not (config.encoder_weights in known or path.is_file()):
        raise ConfigError(
            f"encoder_weights = '{config.encoder_weights}' cannot be used.",
            f"It needs the encoder '{encoders.OWN}', and the name of a zoo model or the file '{path}'.",
        )
    bands = len(config.spec.bands)
    if config.encoder_weights in known:
        pretrained.load_trained_encoder(encoder, known[config.encoder_weights] / registry.WEIGHTS)
        _open_ears(encoder, bands)
        return
    pretrained.load_folded_mobilenet(encoder, path)
    _open_ears(encoder, bands)
    unseen = range(config.training.steps, config.training.steps + UNFOLD_BATCHES)
    pretrained.unfold(encoder, (_with_channels(shown(step), encoder.bands) for step in unseen))


def _with_channels(images: Tensor, channels: int) -> Tensor:
    return F.pad(images, (0, 0, 0, 0, 0, channels - images.shape[1]))


@torch.no_grad()
def _open_ears(encoder: MobileNetV2, bands: int) -> None:
    """Weights for the channels of marks or clicks, of the images' size: from 0 they grow too slowly to be heard."""
    first = next(module for module in encoder.modules() if isinstance(module, nn.Conv2d)).weight
    first[:, bands:].normal_(std=float(first[:, :bands].std()))
