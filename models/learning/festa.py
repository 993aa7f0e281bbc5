"""FESTA, a baseline: feature and spatial relational regularisation (Hua et al. 2021, "Semantic segmentation of remote
sensing images with sparse annotations").

What the last layer sees of a pixel should be close to what it sees of the most similar of all other pixels and of the
most similar of the eight around, and unlike the least similar one. It needs no truth, and stands in the place of
DISCA's L1. DIAL compares with it (Lenczner et al. 2022, figure 5). Close is meant by squared Euclidean distance, unlike
by cosine similarity; the weights are those of the authors' public code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

SHARE = 0.01  # of the pixels that are compared with all others, drawn anew in every step
NEAREST, AROUND, FARTHEST = 0.5, 1.5, 1.0  # weights of the three terms
WEIGHT = 0.1  # of their sum beside the cross entropy
AT_ONCE = 64  # pixels that are compared with all others in one go: the table of a whole tile would take 200 MB
STEPS = [(dr, dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1) if (dr, dc) != (0, 0)]


def relations(x: Tensor, seed: int, share: float = SHARE) -> Tensor:
    """The regularisation of what the last layer sees, x (1, C, h, w); a scalar. `seed` draws the pixels."""
    height, width = x.shape[-2:]
    generator = torch.Generator().manual_seed(seed)
    count = max(1, round(share * height * width))
    chosen = torch.randperm(height * width, generator=generator)[:count].to(x.device)
    flat = x[0].flatten(1).T.float()  # (h · w, C)
    nearest, farthest = _most_and_least_similar(flat.detach(), chosen)
    around = _most_similar_around(flat.detach(), chosen, height, width)
    return WEIGHT * (
        NEAREST * _distance(flat[chosen], flat[nearest])
        + AROUND * _distance(flat[chosen], flat[around])
        + FARTHEST * F.cosine_similarity(flat[chosen], flat[farthest], dim=1).mean()
    )


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """The mean squared Euclidean distance of the rows."""
    return (a - b).square().sum(1).mean()


def _most_and_least_similar(flat: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """For each chosen pixel, the indices of the nearest of all others, and of the one at the widest angle."""
    directions = F.normalize(flat, dim=1)
    nearest, farthest = [], []
    for part in chosen.split(AT_ONCE):
        apart = torch.cdist(flat[part], flat)
        nearest.append(apart.scatter_(1, part[:, None], torch.inf).argmin(1))
        farthest.append((directions[part] @ directions.T).argmin(1))
    return torch.cat(nearest), torch.cat(farthest)


def _most_similar_around(flat: Tensor, chosen: Tensor, height: int, width: int) -> Tensor:
    """For each chosen pixel, the index of the nearest in features of its eight neighbours (those in the map)."""
    rows, cols = chosen // width, chosen % width
    indices, distances = [], []
    for dr, dc in STEPS:
        index = (rows + dr).clamp(0, height - 1) * width + (cols + dc).clamp(0, width - 1)
        distance = (flat[index] - flat[chosen]).square().sum(1)
        indices.append(index)
        distances.append(distance.masked_fill(index == chosen, torch.inf))
    nearest = torch.stack(distances).argmin(0)
    return torch.stack(indices).gather(0, nearest[None])[0]
