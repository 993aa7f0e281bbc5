"""A last layer of which several outputs are one class: what is left of classes that were merged into another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Merged(nn.Module):
    """The logits of the sums of probabilities, which are the softmax of the layer's outputs ÷ `temperature`.

    classes  for each output of the layer the class that it belongs to; none is left out
    """

    classes: Tensor
    temperature: Tensor

    def __init__(self, layer: nn.ConvTranspose2d, classes: Sequence[int], temperature: float) -> None:
        super().__init__()
        self.layer = layer
        self.members = [[i for i, own in enumerate(classes) if own == k] for k in range(max(classes) + 1)]
        self.register_buffer("classes", torch.tensor(classes))
        self.register_buffer("temperature", torch.tensor(temperature))

    @property
    def out_channels(self) -> int:
        return len(self.members)

    def forward(self, x: Tensor) -> Tensor:
        logits = self.layer(x) / self.temperature
        sums = [logits[:, members].logsumexp(1) for members in self.members]
        return torch.stack(sums, 1) * self.temperature
