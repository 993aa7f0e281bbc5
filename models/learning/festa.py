"""FESTA, a baseline: feature and spatial relational regularisation (Hua et al. 2021, "Semantic segmentation of remote
sensing images with sparse annotations").

What the last layer sees of a pixel should be close to what it sees of the most similar of the other pixels, unlike the
least similar one, and close to the most similar of the eight pixels around. It needs no truth, and stands in the place
of DISCA's L1. DIAL compares with it (Lenczner et al. 2022, figure 5).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

PIXELS = 512  # that are compared with each other, drawn anew in every step
NEAREST, FARTHEST, AROUND = 0.5, 1.5, 1.0  # weights of the three terms


def relations(x: Tensor, seed: int, pixels: int = PIXELS) -> Tensor:
    """The regularisation of what the last layer sees, x (1, C, h, w); a scalar. `seed` draws the pixels."""
    height, width = x.shape[-2:]
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(height * width, generator=generator)[:pixels].to(x.device)
    flat = x[0].flatten(1).T.float()  # (h · w, C)
    drawn = flat[chosen]
    similarity = F.normalize(drawn.detach(), dim=1) @ F.normalize(drawn.detach(), dim=1).T
    nearest = drawn[similarity.fill_diagonal_(-torch.inf).argmax(1)]
    farthest = drawn[similarity.fill_diagonal_(torch.inf).argmin(1)]
    around = flat[_most_similar_around(flat.detach(), chosen, height, width)]
    return (
        NEAREST * _distance(drawn, nearest)
        + FARTHEST * F.cosine_similarity(drawn, farthest, dim=1).mean()
        + AROUND * _distance(drawn, around)
    )


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean Euclidean distance; smooth where two rows are the same."""
    return ((a - b).square().sum(1) + 1e-12).sqrt().mean()


def _most_similar_around(flat: Tensor, chosen: Tensor, height: int, width: int) -> Tensor:
    """For each chosen pixel, the index of the nearest in features of its eight neighbours (those in the map)."""
    rows, cols = chosen // width, chosen % width
    steps = [(dr, dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1) if (dr, dc) != (0, 0)]
    indices, distances = [], []
    for dr, dc in steps:
        r, c = (rows + dr).clamp(0, height - 1), (cols + dc).clamp(0, width - 1)
        index = r * width + c
        distance = (flat[index] - flat[chosen]).square().sum(1)
        indices.append(index)
        distances.append(distance.masked_fill(index == chosen, torch.inf))
    nearest = torch.stack(distances).argmin(0)
    return torch.stack(indices).gather(0, nearest[None])[0]
