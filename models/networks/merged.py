"""A last layer of which several outputs are one class: what is left of classes that were merged into another."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Union, cast

import torch
from torch import Tensor, nn

from terrafine.shared.errors import UnusableModel

Linear = Union[nn.Conv2d, nn.ConvTranspose2d]


class Merged(nn.Module):
    """The logits of the sums of probabilities, which are the softmax of the layer's outputs ÷ `temperature`.

    layer    a last layer of any kind
    classes  for each output of the layer the class that it belongs to; none is left out
    """

    classes: Tensor
    temperature: Tensor

    def __init__(self, layer: nn.Module, classes: Sequence[int], temperature: float) -> None:
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


def linear_layer(head: nn.Module) -> Linear:
    """The layer of a `head` that has weights; raises UnusableModel for a head of another kind.

    It is the head itself, or the convolution that one of the library begins with, or that of a merged one.
    """
    if isinstance(head, Merged):
        return linear_layer(head.layer)
    layer = head if isinstance(head, (nn.Conv2d, nn.ConvTranspose2d)) else next(head.children(), None)
    if not isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        raise UnusableModel("The last layer of this network cannot be learnt alone.", 'Learn with scope "decoder".')
    return layer


def with_layer(head: nn.Module, weight: Tensor, bias: Tensor) -> nn.Module:
    """A head like this one, whose `linear_layer` has other weights, and as many outputs as they; not merged."""
    inner = head.layer if isinstance(head, Merged) else head
    old = linear_layer(inner)
    new = copy.copy(old)
    new._parameters = {"weight": nn.Parameter(weight), "bias": nn.Parameter(bias)}
    new.out_channels = len(bias)
    if inner is old:
        return new
    head = copy.copy(inner)
    head._modules = {name: new if child is old else child for name, child in inner._modules.items()}
    return head


def restored(head: nn.Module, classes: Sequence[int]) -> Merged:
    """A head whose outputs are merged like this, with any weights: what a merged one is loaded into."""
    old, count = linear_layer(head), len(classes)
    axis = 1 if isinstance(old, nn.ConvTranspose2d) else 0
    shape = [count if place == axis else size for place, size in enumerate(old.weight.shape)]
    return Merged(with_layer(head, old.weight.new_zeros(shape), cast(Tensor, old.bias).new_zeros(count)), classes, 1.0)
