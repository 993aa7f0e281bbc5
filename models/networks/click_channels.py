"""Clicks as two more channels of any segmentation network (Xu et al. 2016): the plain peer of IOG, without a box."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from terrafine.models.networks.network import Features
from terrafine.models.networks.object_network import ObjectNetwork


class ClickChannels(ObjectNetwork):
    """A network of `bands` + 2 channels and one output. Every click runs all of it: there is nothing to keep."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def features(self, image: Tensor, guidance: Tensor) -> Features:
        """See ObjectNetwork.features: here, the image itself."""
        return (image,)

    def decode(self, features: Features, guidance: Tensor) -> list[Tensor]:
        """See ObjectNetwork.decode."""
        image = features[0]
        return [self.network(torch.cat([image, guidance.to(image.dtype)], dim=1))[:, 0]]
