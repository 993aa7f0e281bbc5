"""What every network is that finds one object: (crop, first clicks) → features, (features, all clicks) → logits.

The split is where a further click's cost is decided, as in `network.py`: what `features` makes is kept between clicks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from terrafine.models.networks.network import Features


class ObjectNetwork(nn.Module, ABC):
    """A crop and clicks in, logits of the object out. Crops are square, of a side that is a multiple of 32."""

    @abstractmethod
    def features(self, image: Tensor, guidance: Tensor) -> Features:
        """Image (B, bands, T, T), normalised, and the heat maps (B, 2, T, T) of the first clicks → what is kept."""

    @abstractmethod
    def decode(self, features: Features, guidance: Tensor) -> list[Tensor]:
        """Features and the heat maps (B, 2, T, T), inside then outside, of all clicks → logits (B, T, T) of the object.

        The last is the answer; those before it, of coarser levels, are there for side losses.
        """
