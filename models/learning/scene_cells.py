"""What the scene layer is learnt from: cells of `CELL_PX` model pixels, their colours, what the map says there without
and with marks, and the marks near them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from scipy.spatial import KDTree
from torch import Tensor

from terrafine.models.infer import Predictor
from terrafine.models.learning.lesson import Example
from terrafine.models.learning.regression import Doubles
from terrafine.models.networks.scene import CELL_PX

NEAR_PX = 6.0  # from a mark, in model pixels: of its class
NOTHING = -1
LEAST = 1e-6  # of a probability

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class SceneCells:
    """N cells with data.

    colours     float32 (N, n), what the scene layer sees
    bare, full  log p of the shown classes (N, K), without and with the marks as input
    marked      (N,) the shown class of the mark that is near, NOTHING where none is
    held        (N,) how many marked pixels lie in the cell
    """

    colours: Tensor
    bare: Doubles
    full: Doubles
    marked: Indices
    held: Indices


def cells_of(predictor: Predictor, examples: Sequence[Example], groups: Tensor) -> SceneCells:
    """Of all the tiles; `groups`, float32 (classes, K) on the predictor's device, has 1 where a class is shown as the
    k-th of those that are.
    """
    parts = [_cells(predictor, example, groups) for example in examples]
    arrays = [np.concatenate([getattr(part, name) for part in parts]) for name in ("bare", "full", "marked", "held")]
    return SceneCells(torch.cat([part.colours for part in parts]), *arrays)


@torch.no_grad()
def _cells(predictor: Predictor, example: Example, groups: Tensor) -> SceneCells:
    features = example.features or predictor.features(example.image[None])[0]
    whole = F.avg_pool2d(torch.from_numpy(example.valid)[None].float(), CELL_PX).flatten() == 1
    seen = features.tensors[-1].flatten(2)[0].T.float()
    bare, full = (_log_shares(logits.to(groups), groups) for logits in example.logits or _maps(predictor, example))
    near, held = _near_marks(example, groups.argmax(1).cpu().numpy())
    kept = whole.numpy()
    return SceneCells(seen[whole.to(seen.device)], bare[kept], full[kept], near[kept], held[kept])


def _maps(predictor: Predictor, example: Example) -> tuple[Tensor, Tensor]:
    """Logits without and with marks, (classes, T, T)."""
    features = [example.features or predictor.features(example.image[None])[0]]
    silence = np.zeros_like(example.channels)
    bare, full = (torch.from_numpy(predictor.logits(features, c[None])[0]) for c in (silence, example.channels))
    return bare, full


def _log_shares(logits: Tensor, groups: Tensor) -> Doubles:
    """Log of the mean probabilities of the shown classes in each cell, (h · w, K)."""
    shares = groups.T @ F.avg_pool2d(logits.softmax(0)[None], CELL_PX)[0].flatten(1)
    values: Doubles = shares.clamp_min_(LEAST).log_().T.double().cpu().numpy()
    return values


def _near_marks(example: Example, shown: Indices) -> tuple[Indices, Indices]:
    """For each cell, the shown class of the mark nearest to its middle, NOTHING where none is near; and how many marked
    pixels it holds. `shown` has for each class the one of the shown ones that it is.
    """
    marks = np.argwhere(example.counted)
    size = [side // CELL_PX for side in example.valid.shape]
    middles = CELL_PX // 2 + CELL_PX * np.indices(size).reshape(2, -1).T
    distance, index = KDTree(marks).query(middles, distance_upper_bound=np.nextafter(NEAR_PX, np.inf))
    classes = np.append(shown[example.marked[tuple(marks.T)]], NOTHING)  # index is len(marks) where none is near
    rows, cols = marks.T // CELL_PX
    held = np.bincount(rows * size[1] + cols, minlength=size[0] * size[1])
    return classes[index], held
