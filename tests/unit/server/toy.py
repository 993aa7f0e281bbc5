"""A model and scenes that are made, trained and judged in a second: half of each image is dark, half is bright."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

MODEL = """
[model]
name = "toy"
title = "Toy"
architecture = "linknet"
encoder = "mobilenet_v2_same"
bands = ["red", "green", "blue"]
gsd_m = 1.0
tile_px = 64
overlap_px = 16
normalisation = { mean = [0.5, 0.5, 0.5], std = [0.5, 0.5, 0.5] }
classes = [{ name = "dark", color = "#102030" }, { name = "bright", color = "#FFFFFF" }]

[data]
images = "images"
labels = "labels"
train = ["a*"]
"""


def write_scenes(folder: Path, names: Sequence[str], corner: int = 0) -> None:
    """PNG images with index labels; `corner` is the label of their first pixel."""
    rng = np.random.default_rng(0)
    for part in ("images", "labels"):
        (folder / part).mkdir()
    for name in names:
        truth = np.zeros((64, 70), np.uint8)
        truth[:, 35:] = 1
        truth[0, 0] = corner
        pixels = (truth[..., None] * 120 + rng.integers(0, 60, (64, 70, 3))).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{name}.png")
        Image.fromarray(truth).save(folder / "labels" / f"{name}.png")
