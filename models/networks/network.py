"""What every annotation-as-channel network is: image → features, (features, marks) → logits.

The split is where a click's cost is decided. A network of *late* fusion computes features from the image alone, so that
they can be kept while marks come and go; one of *early* fusion (DISIR) has nothing to keep but the image.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from terrafine.models.networks.merged import Merged, restored
from terrafine.shared.errors import UnusableModel

Features = tuple[Tensor, ...]
Thinning = Callable[[Tensor], Tensor]  # dropout: maps (B, channels, H, W) in, the same with some of it gone out


class MarkedNetwork(nn.Module, ABC):
    """Image and marks in, logits out. H and W are multiples of 32.

    measures  of uncertainty that need more than the logits, by their names in ModelSpec.uncertainty
    head      the last layer, where there is one
    is_steady does `answer` do the same operations whatever the numbers, so that they can be recorded?
    """

    measures: tuple[str, ...] = ("odin",)
    is_steady = False
    head: nn.Module

    @abstractmethod
    def features(self, image: Tensor) -> Features:
        """Image (B, bands, H, W), normalised → tensors whose first axis is the batch; marks play no part."""

    @abstractmethod
    def decode(self, features: Features, marks: Tensor) -> Tensor:
        """Features and marks (B, classes, H, W) in [0, 1] → logits (B, classes, H, W)."""

    @abstractmethod
    def image_side(self) -> tuple[nn.Module, ...]:
        """The encoder and all else that `features` is made by."""

    def mark_side(self) -> tuple[nn.Module, ...]:
        """What reads marks and nothing else."""
        return ()

    def penalty(self) -> Tensor:
        """What training adds to the loss of the last decode, for reasons of the network's own."""
        return torch.zeros(())

    def reducible(self) -> tuple[nn.Module, ...]:
        """What may compute in half precision, if images and features come in it; logits stay float32."""
        return ()

    def settle(self) -> None:
        """Never learn again: what depends on the weights alone may be remembered from now on."""

    def forward(self, image: Tensor, marks: Tensor) -> Tensor:
        return self.decode(self.features(image), marks)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """With merged outputs, where the state has them."""
        head = getattr(self, "head", None)
        if head is not None and not isinstance(head, Merged):
            classes = state_dict.get(f"{path_of(self, head)}.classes")
            if classes is not None:
                replace_module(self, head, restored(head, classes.tolist()))
        return super().load_state_dict(state_dict, strict, assign)

    def sharing_copy(self, own: Iterable[nn.Parameter] = ()) -> MarkedNetwork:
        """A copy in evaluation mode that shares the memory of all tensors but the parameters `own`, which can learn."""
        return cast(MarkedNetwork, _twin(self, {id(parameter) for parameter in own})).eval()

    def trunk(self, features: Features, marks: Tensor) -> tuple[Tensor, Tensor]:
        """What `head`, the last layer, sees (B, width, h, w), and what is added to its output (0 where nothing is)."""
        raise UnusableModel(f"A {type(self).__name__} has no last layer to look into.")

    def heard(self, features: Features, marks: Tensor) -> Features:
        """All of `trunk` that stays the same while image side and mark side do, for `trunk_of`; by default nothing."""
        return (*features, marks)

    def trunk_of(self, heard: Features) -> tuple[Tensor, Tensor]:
        """`trunk` of what was `heard`."""
        return self.trunk(heard[:-1], heard[-1])

    def answer(self, heard: Features) -> Tensor:
        """The logits that `decode` makes of what was `heard`."""
        return self.decode(heard[:-1], heard[-1])

    def thinned(self, features: Features, marks: Tensor, passes: Sequence[Thinning]) -> Iterator[Tensor]:
        """The logits once for each of `passes`, applied between the decoder's blocks; what lies before runs once."""
        raise UnusableModel(f"A {type(self).__name__} has no places for dropout.")


class EarlyFusion(MarkedNetwork):
    """Any segmentation network on image and marks stacked as channels: DISIR's (Lenczner et al. 2020, section 2)."""

    is_steady = True

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.measures = ("odin", "mc-dropout") if hasattr(network, "thinned") else ("odin",)

    def features(self, image: Tensor) -> Features:
        return (image,)

    def decode(self, features: Features, marks: Tensor) -> Tensor:
        logits: Tensor = self.network(_stacked(features, marks))
        return logits

    def trunk(self, features: Features, marks: Tensor) -> tuple[Tensor, Tensor]:
        """By listening at the last layer, for the library's networks have no name for what leads up to it."""
        seen: list[Tensor] = []
        listener = self.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            self.decode(features, marks)
        finally:
            listener.remove()
        return seen[0], torch.zeros((), device=seen[0].device)

    def thinned(self, features: Features, marks: Tensor, passes: Sequence[Thinning]) -> Iterator[Tensor]:
        if not hasattr(self.network, "thinned"):
            return super().thinned(features, marks, passes)
        thinned = cast("Callable[..., Iterator[Tensor]]", self.network.thinned)
        return thinned(_stacked(features, marks), passes)

    def image_side(self) -> tuple[nn.Module, ...]:
        return (cast(nn.Module, self.network.encoder),)

    @property
    def head(self) -> nn.Module:  # type: ignore[override]
        """The last layer: ours is called head, the library's segmentation_head."""
        name = "head" if hasattr(self.network, "head") else "segmentation_head"
        return cast(nn.Module, getattr(self.network, name))


def path_of(network: nn.Module, module: nn.Module) -> str:
    """The name of a module of the network's."""
    return next(name for name, other in network.named_modules() if other is module)


def replace_module(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put `new` in the place of the module `old`."""
    parent, _, name = path_of(network, old).rpartition(".")
    setattr(network.get_submodule(parent), name, new)


def _stacked(features: Features, marks: Tensor) -> Tensor:
    return torch.cat([features[0], marks.to(features[0].dtype)], dim=1)


def _twin(module: nn.Module, own: Container[int]) -> nn.Module:
    """A copy of a module and all below it; twenty times as fast as deepcopy, which copies what modules keep beside."""
    twin = copy.copy(module)
    twin.__dict__.update({name: value.copy() for name, value in vars(module).items() if isinstance(value, dict)})
    twin._parameters.update({name: _twin_of(p, own) for name, p in module._parameters.items() if p is not None})
    twin._modules.update({name: _twin(child, own) for name, child in module._modules.items() if child is not None})
    return twin


def _twin_of(parameter: nn.Parameter, own: Container[int]) -> nn.Parameter:
    learns = id(parameter) in own
    return nn.Parameter(parameter.detach().clone() if learns else parameter.detach(), learns)
