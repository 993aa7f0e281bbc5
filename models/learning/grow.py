"""Another legend on a trained network: classes that it never knew beside, or instead of, those it has.

A class that continues an old output keeps its weights, so its logits stay what they were. A new class starts as the
mean of all old outputs, less `SHYNESS`: never the largest, whatever the image, until something is marked as it. Where
the network has a shortcut from marks to logits (`LateLinkNet`), its marks act at once, for that knows no classes by
name; learning (`learn.py`) then makes it part of the network. In a legend of new classes alone, all start equal.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Optional, Union, cast

import torch
from torch import Tensor, nn

from terrafine.models.infer import Predictor
from terrafine.models.networks.diffusion import Diffusion, KernelRegression
from terrafine.models.networks.forest import PixelForest
from terrafine.models.networks.linknet import LateLinkNet
from terrafine.models.networks.merged import Merged, linear_layer, with_layer
from terrafine.models.networks.network import EarlyFusion, replace_module
from terrafine.models.networks.scene import SceneLayer
from terrafine.models.networks.sideinfnet import SideInfNet
from terrafine.shared.errors import UnusableModel
from terrafine.shared.spec import LandCover

SHYNESS = 1.0  # of new classes, in logits

Sources = Sequence[Optional[int]]


def with_classes(predictor: Predictor, classes: tuple[LandCover, ...], sources: Sources) -> Predictor:
    """A predictor for another legend; the old one is unchanged, and both share what does not depend on the legend.

    sources  for each class the old output that it continues, or None for a new class

    Features that are cached stay valid. Raises UnusableModel for a network that cannot grow, ValueError for sources
    that do not fit.
    """
    old = len(predictor.spec.classes)
    if len(sources) != len(classes) or not all(source is None or 0 <= source < old for source in sources):
        raise ValueError(f"{len(classes)} classes need as many sources, each None or one of the {old} outputs")
    network = predictor.network.sharing_copy()
    if isinstance(network, PixelForest):
        network = network.with_classes(sources)
    elif isinstance(network, LateLinkNet):
        _grow_late(network, sources)
    elif isinstance(network, SideInfNet):
        _grow_side(network, sources, old)
    elif isinstance(network, EarlyFusion):
        _grow_early(network, sources, len(predictor.spec.bands), old)
    else:
        raise UnusableModel(f"A {type(network).__name__} cannot take other classes.")
    return predictor.successor(network, replace(predictor.spec, classes=classes))


def as_shown(predictor: Predictor, becomes: Sequence[int]) -> Predictor:
    """A predictor whose classes are those that are shown, counted from 0; without marks its map is the same.

    becomes  for each class the one that it is shown as, −1 for none

    Raises as `with_classes` does.
    """
    shown = [index for index, target in enumerate(becomes) if target == index]
    if len(shown) == len(becomes):
        return predictor
    groups = [[target, *(i for i, t in enumerate(becomes) if t == target != i)] for target in shown]
    classes = tuple(replace(predictor.spec.classes[old], id=new) for new, old in enumerate(shown))
    reduced = with_classes(predictor, classes, shown)
    old, network = predictor.network, reduced.network.sharing_copy()
    if isinstance(old, PixelForest) and isinstance(network, PixelForest):
        network.share = torch.stack([old.share[:, group].sum(1) for group in groups], 1)
    else:
        replace_module(network, network.head, _head_of(old.head, groups, predictor.spec.temperature))
    return reduced.successor(network)


def _grow_late(network: LateLinkNet, sources: Sources) -> None:
    heads = network.affinity.heads
    network.head = cast("Union[nn.ConvTranspose2d, Merged]", _head_of(network.head, [[source] for source in sources]))
    if network.scene is not None:
        network.scene = _scene_with_outputs(network.scene, sources)
    network.mark_pyramid[0] = _with_inputs(cast(nn.Conv2d, network.mark_pyramid[0]), sources)
    for index, mix in enumerate(network.mark_affinity):
        network.mark_affinity[index] = _with_inputs(cast(nn.Conv2d, mix), sources, groups=heads)


def _grow_side(network: SideInfNet, sources: Sources, classes: int) -> None:
    replace_module(network, network.head, _head_of(network.head, [[source] for source in sources]))
    network.inputs += len(sources) - classes
    if isinstance(network.side, (Diffusion, KernelRegression)):
        weight = network.side.layer.weight.detach()
        columns = [weight[:, s] if s is not None else torch.zeros_like(weight[:, 0]) for s in sources]
        network.side.layer = copy.copy(network.side.layer)
        network.side.layer._parameters = {
            "weight": nn.Parameter(torch.cat([torch.stack(columns, 1), weight[:, classes:]], 1))
        }


def _grow_early(network: EarlyFusion, sources: Sources, bands: int, classes: int) -> None:
    replace_module(network, network.head, _head_of(network.head, [[source] for source in sources]))
    first = _first_convolution(network.network, bands + classes)
    replace_module(network.network, first, _with_inputs(first, sources, kept=bands))


def _head_of(head: nn.Module, groups: Sequence[Sources], temperature: float = 1.0) -> nn.Module:
    """The head with one class for each group of old ones, None standing for a new one."""
    members = [[index] for index in range(linear_layer(head).out_channels)]
    if isinstance(head, Merged):
        members, temperature = head.members, float(head.temperature)
    outputs = [[o for s in group for o in (members[s] if s is not None else [None])] for group in groups]
    grown = _with_outputs(head, [o for group in outputs for o in group])
    classes = [index for index, group in enumerate(outputs) for _ in group]
    return Merged(grown, classes, temperature) if len(classes) > len(groups) else grown


def _with_outputs(head: nn.Module, sources: Sources) -> nn.Module:
    """The head with one output for each of the layer's own that it continues; not merged any more."""
    layer = linear_layer(head)
    axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    anew = 0.0 if all(source is None for source in sources) else 1.0
    weights = [_slice_or_mean(layer.weight, source, axis, anew) for source in sources]
    biases = [_slice_or_mean(cast(Tensor, layer.bias), source, 0, anew) for source in sources]
    shy = [0.0 if source is not None else -SHYNESS * anew for source in sources]
    return with_layer(head, torch.stack(weights, axis), torch.stack(biases) + layer.weight.new_tensor(shy))


def _scene_with_outputs(layer: SceneLayer, sources: Sources) -> SceneLayer:
    """What it says of a new class is the mean of what it says of the old ones."""
    anew = 0.0 if all(source is None for source in sources) else 1.0
    grown = copy.copy(layer)
    grown._parameters = {
        name: nn.Parameter(torch.stack([_slice_or_mean(values, source, 0, anew) for source in sources]))
        for name, values in (("weight", layer.weight), ("bias", layer.bias))
    }
    return grown


def _slice_or_mean(old: Tensor, source: Optional[int], axis: int, factor: float) -> Tensor:
    old = old.detach()
    return old.mean(axis) * factor if source is None else old.select(axis, source)


def _with_inputs(layer: nn.Conv2d, sources: Sources, groups: int = 1, kept: int = 0) -> nn.Conv2d:
    """The layer with one input a class in each of `groups`, after `kept` inputs that stay; new ones are not felt."""
    weight = layer.weight.detach()
    classes = weight[:, kept:].unflatten(1, (groups, -1))
    parts = [classes[:, :, s] if s is not None else torch.zeros_like(classes[:, :, 0]) for s in sources]
    grown = copy.copy(layer)
    grown._parameters = dict(layer._parameters)
    grown.weight = nn.Parameter(torch.cat([weight[:, :kept], torch.stack(parts, 2).flatten(1, 2)], 1))
    grown.in_channels = grown.weight.shape[1]
    return grown


def _first_convolution(network: nn.Module, inputs: int) -> nn.Conv2d:
    """The one that image and marks go into."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == inputs and module.groups == 1:
            return module
    raise UnusableModel("Where the marks enter this network is unknown, so it cannot take new classes.")
