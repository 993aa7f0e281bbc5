"""A network that is shown no marks: what learning from them does by itself (DIAL's WTP)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from terrafine.models.infer import Predictor
from terrafine.models.networks.network import Features, MarkedNetwork


def deaf(predictor: Predictor) -> Predictor:
    """The same network, which sees empty marks whatever it is given."""
    return predictor.successor(DeafNetwork(predictor.network))


class DeafNetwork(MarkedNetwork):
    """Another network without its ears."""

    def __init__(self, hearing: MarkedNetwork) -> None:
        super().__init__()
        self.hearing = hearing
        self.measures = hearing.measures

    def features(self, image: Tensor) -> Features:
        return self.hearing.features(image)

    def decode(self, features: Features, marks: Tensor) -> Tensor:
        return self.hearing.decode(features, torch.zeros_like(marks))

    def image_side(self) -> tuple[nn.Module, ...]:
        return self.hearing.image_side()

    def mark_side(self) -> tuple[nn.Module, ...]:
        return self.hearing.mark_side()

    def reducible(self) -> tuple[nn.Module, ...]:
        return self.hearing.reducible()

    def settle(self) -> None:
        self.hearing.settle()

    def trunk(self, features: Features, marks: Tensor) -> tuple[Tensor, Tensor]:
        return self.hearing.trunk(features, torch.zeros_like(marks))

    @property
    def head(self) -> nn.Module:  # type: ignore[override]
        head: nn.Module = self.hearing.head
        return head
