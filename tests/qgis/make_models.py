"""Run with the server's Python: writes tiny models into the folder named on the command line.

Those for maps have random weights, but for the refinement module of one, which sees class 1 everywhere. The one for
objects is made by hand: the object is what lies near a click inside, and not near one outside.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from terrafine.models import registry
from terrafine.models.networks.iog import IOG
from terrafine.models.networks.magnet import Refiner
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.networks.sideinfnet import SideInfNet
from terrafine.models.objects import build
from terrafine.shared.side import SideFields
from terrafine.shared.spec import Detail, EncodingSpec, LandCover, ModelSpec, Normalisation

CLASSES = (LandCover(0, "water", "#4477aa"), LandCover(1, "land", "#ccbb44"), LandCover(2, "building", "#ee6677"))


def tiny(name: str, title: str) -> ModelSpec:
    return ModelSpec(
        name=name,
        title=title,
        architecture="linknet",
        encoder="mobilenet_v2_same",
        bands=("red", "green", "blue"),
        classes=CLASSES,
        gsd_m=1.0,
        normalisation=Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        encoding=EncodingSpec("distance", 8.0),
        tile_px=64,
        overlap_px=16,
    )


def told() -> ModelSpec:
    """It takes two numbers at points."""
    return replace(
        tiny("told", "Told"),
        architecture="sideinfnet",
        encoding=EncodingSpec("onehot", 1.0),
        side=SideFields(("height", "noise"), (10.0, 0.0), (5.0, 1.0)),
    )


def finder() -> ModelSpec:
    return replace(
        tiny("finder", "Finder"), architecture="iog", gsd_m=0.0, overlap_px=0, task="object", options={"fwhm_px": 32.0}
    )


@torch.no_grad()
def by_hand(network: IOG) -> IOG:
    """The heat maps of the clicks go through unchanged; the answer is inside less outside."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.zero_()
            if module.bias is not None:
                module.bias.zero_()
    heat = [*network.clicks, *network.reduce, *network.fuse, network.fine.levels[0]]
    for unit in heat:
        _carry(unit[-1] if isinstance(unit[0], nn.Sequential) else unit)
    network.clicks[3][0].weight.copy_(network.clicks[3][0].weight.roll((1, 1), (2, 3)))  # to the middle of its cell
    _carry(network.pooling.mix, begin=96)
    network.fine.head.weight[0, 0, 1, 1], network.fine.head.weight[0, 1, 1, 1] = 1.0, -1.0
    network.fine.head.bias.fill_(-0.25)
    return network


def _carry(unit: nn.Sequential, begin: int = 0) -> None:
    """Let the first two channels through, of those from `begin` on."""
    weight = unit[0].weight
    middle = weight.shape[-1] // 2
    for channel in range(2):
        weight[channel, begin + channel, middle, middle] = 1.0


@torch.no_grad()
def attentive(network: MarkedNetwork) -> MarkedNetwork:
    """What it is told weighs a hundred times as much."""
    if isinstance(network, SideInfNet):
        network.fuse.weight[:, network.encoder.channels[1] :] *= 100
    return network


@torch.no_grad()
def one_sided() -> Refiner:
    """A refinement module that sees class 1 everywhere."""
    refiner = Refiner(len(CLASSES))
    refiner.head.bias[1] = 50.0
    return refiner


if __name__ == "__main__":
    for seed, spec in enumerate((tiny("tiny", "Tiny"), tiny("tiny-two", "Tiny, the second"), told())):
        torch.manual_seed(seed)
        registry.save(Path(sys.argv[1]) / spec.name, spec, attentive(registry.build(spec)))
    registry.save(Path(sys.argv[1]) / "finder", finder(), by_hand(build.build(finder())))
    detailed = tiny("tiny-detail", "Tiny, in detail")
    registry.save(Path(sys.argv[1]) / detailed.name, detailed, registry.build(detailed))
    registry.save_refiner(Path(sys.argv[1]) / detailed.name, one_sided(), Detail((2, 1), 1.0, 1.0))
