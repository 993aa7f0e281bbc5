"""Run with the server's Python: writes tiny models with random weights into the folder named on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from terrafine.models import registry
from terrafine.shared.spec import EncodingSpec, LandCover, ModelSpec, Normalisation

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


if __name__ == "__main__":
    for seed, spec in enumerate((tiny("tiny", "Tiny"), tiny("tiny-two", "Tiny, the second"))):
        torch.manual_seed(seed)
        registry.save(Path(sys.argv[1]) / spec.name, spec, registry.build(spec))
