"""What a refinement module learns from: a frozen network's maps of one place at two scales, computed once and kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from terrafine.models.data import Augmentation, CropSampler, Scene
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.normalise import resized, to_network
from terrafine.shared.spec import ModelSpec

Floats = NDArray[np.float32]
Stage = tuple[float, float]  # model pixels that a pixel takes a side, of the map so far and of that which refines it


@dataclass(frozen=True)
class Lesson:
    """One tile. coarse, fine: logits float16 (classes, T, T) on the finer grid; truth: uint8 (T, T)."""

    coarse: NDArray[np.float16]
    fine: NDArray[np.float16]
    truth: NDArray[np.uint8]

    def crop(self, size: int, rng: np.random.Generator) -> Lesson:
        top, left = (int(rng.integers(side - size + 1)) for side in self.truth.shape)
        inside = slice(top, top + size), slice(left, left + size)
        return Lesson(self.coarse[(slice(None), *inside)], self.fine[(slice(None), *inside)], self.truth[inside])


def stages(scales: Sequence[float]) -> list[Stage]:
    """(2, 1, 0.5) → [(2, 1), (1, 0.5)]"""
    return list(zip(scales, scales[1:]))


def draw_lessons(
    network: MarkedNetwork,
    spec: ModelSpec,
    scenes: Sequence[Scene],
    scales: Sequence[float],
    count: int,
    augmentation: Augmentation,
    seed: int,
) -> Iterator[Lesson]:
    """`count` lessons, of all stages in turn; both maps are made as a server makes them, tile by tile without marks."""
    pairs = stages(scales)
    sides = [round(spec.tile_px * coarse) for coarse, _ in pairs]
    samplers = [CropSampler(scenes, len(spec.classes), side, augmentation) for side in sides]
    network.eval()
    for index in range(count):
        which, rng = index % len(pairs), np.random.default_rng((seed, index))
        yield lesson(network, spec, *samplers[which].draw(rng), pairs[which], rng)


@torch.inference_mode()
def lesson(
    network: MarkedNetwork,
    spec: ModelSpec,
    image: Floats,
    truth: NDArray[np.uint8],
    stage: Stage,
    rng: np.random.Generator,
) -> Lesson:
    """One of the finer tiles in the coarser tile `image`, float32 (bands, coarse · T, coarse · T) in [0, 1]."""
    coarse, fine = stage
    ratio, size = round(coarse / fine), spec.tile_px
    col, row = (int(rng.integers(0, size * (ratio - 1) + 1)) for _ in range(2))
    inside = slice(row, row + size), slice(col, col + size)
    context = _logits(network, spec, resized(image, size))
    upsampled = F.interpolate(context, scale_factor=ratio, mode="bilinear", align_corners=False)
    detail = _logits(network, spec, resized(image, ratio * size)[(slice(None), *inside)])
    known = F.interpolate(torch.from_numpy(truth)[None, None], (ratio * size,) * 2, mode="nearest-exact")
    return Lesson(
        _halves(upsampled[(slice(None), slice(None), *inside)]),
        _halves(detail),
        np.ascontiguousarray(known[0, 0].numpy()[inside]),
    )


def _logits(network: MarkedNetwork, spec: ModelSpec, image: Floats) -> Tensor:
    """The network's logits of one tile, (1, classes, T, T)."""
    device = next(network.parameters()).device
    normal = to_network(image, np.ones(image.shape[1:], bool), spec)
    batch = torch.from_numpy(normal)[None].to(device, memory_format=torch.channels_last)
    empty = torch.zeros(1, len(spec.classes), *image.shape[1:], device=device)
    return network(batch, empty).float()


def _halves(logits: Tensor) -> NDArray[np.float16]:
    halves: NDArray[np.float16] = logits[0].half().cpu().numpy()
    return halves
