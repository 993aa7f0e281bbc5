"""What every annotation-as-channel network is: image → features, (features, marks) → logits.

The split is where a click's cost is decided. A network of *late* fusion computes features from the image alone, so that
they can be kept while marks come and go; one of *early* fusion (DISIR) has nothing to keep but the image.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

Features = tuple[Tensor, ...]


class MarkedNetwork(nn.Module, ABC):
    """Image and marks in, logits out. H and W are multiples of 32."""

    @abstractmethod
    def features(self, image: Tensor) -> Features:
        """Image (B, bands, H, W), normalised → tensors whose first axis is the batch; marks play no part."""

    @abstractmethod
    def decode(self, features: Features, marks: Tensor) -> Tensor:
        """Features and marks (B, classes, H, W) in [0, 1] → logits (B, classes, H, W)."""

    def forward(self, image: Tensor, marks: Tensor) -> Tensor:
        return self.decode(self.features(image), marks)


class EarlyFusion(MarkedNetwork):
    """Any segmentation network on image and marks stacked as channels: DISIR's (Lenczner et al. 2020, section 2)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def features(self, image: Tensor) -> Features:
        return (image,)

    def decode(self, features: Features, marks: Tensor) -> Tensor:
        logits: Tensor = self.network(torch.cat([features[0], marks.to(features[0].dtype)], dim=1))
        return logits
