"""Learning the scene layer (`networks/scene.py`): at once, from marks and from what the map is sure of.

The layer's output is added to the network's logits of the classes that are shown; its weights minimise

    Σ over cells of weight · cross entropy of softmax(log p + layer) to the class that the cell teaches
    + RIDGE · ‖weights − weights before‖²

which is convex. Cells near a mark teach its class; of every class, those that the map without marks is surest of teach
that the map was right (DISCA's regularisation, with confident labels in place of L1). All are seen with the marks as
input, as the analyst sees the map; those near marks also without, so that what they say is known without them.

Every class weighs the same: marks lie where the map is wrong, mostly on one side of one kind of mistake, and what
learns from one class alone forgets the others. Classes that others were merged into are one class here.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from terrafine.models.learning.last_layer import Sample, solve
from terrafine.models.learning.lesson import Lesson, precision, share_right
from terrafine.models.networks.linknet import LateLinkNet
from terrafine.models.networks.scene import CELL_PX, SceneLayer

NEAR_PX = 6.0  # from a mark, in model pixels: of its class
SURE = 0.5  # the share of a class's cells that teach it
MARKED = 0.25  # what cells near marks weigh beside the others, before classes are made even
REPLAYED = 4096  # cells that the map is sure of, at most
RIDGE = 0.1
FREE = 10.0  # the bias as a weight of this constant: the ridge is hardly felt
NOTHING = -1
TINY = 1e-12

Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Cells:
    """N cells with data.

    colours     (N, n), what the scene layer sees
    bare, full  log p of the shown classes (N, K), without and with the marks as input
    marked      (N,) the shown class of the mark that is near, NOTHING where none is
    """

    colours: Tensor
    bare: Doubles
    full: Doubles
    marked: Indices


def learn(network: LateLinkNet, lessons: Sequence[Lesson], regularisation: float, seed: int) -> tuple[float, float]:
    """Give the network a scene layer, or another one that goes on from the one it has.

    Returns the shares of the marked pixels that it has right without marks as input, before and after.
    """
    groups = lessons[0].shown_as[:, lessons[0].shown_as.any(0)]  # (classes, K)
    maps = [_bare(network, lesson) for lesson in lessons]
    cells = _joined([_cells(lesson, logits, groups) for lesson, logits in zip(lessons, maps)])
    layer = copy.deepcopy(network.scene) if network.scene is not None else _silent(cells, len(groups))
    sample = _sample(layer, cells, taught(cells, np.random.default_rng(seed)), regularisation)
    found = solve(np.zeros((sample.design.shape[1], groups.shape[1])), sample, RIDGE)
    change = torch.from_numpy(found).to(groups) @ groups.T
    with torch.no_grad():
        layer.weight.add_(change[:-1].T)
        layer.bias.add_(FREE * change[-1])
    network.scene = layer
    return share_right(lessons, maps), share_right(lessons, [_bare(network, lesson) for lesson in lessons])


@torch.no_grad()
def _bare(network: LateLinkNet, lesson: Lesson) -> Tensor:
    with precision(lesson.image.device):
        return network.decode(lesson.features, lesson.unseen).float()


def _cells(lesson: Lesson, bare: Tensor, groups: Tensor) -> Cells:
    whole = F.avg_pool2d(lesson.valid[None].float(), CELL_PX).flatten() == 1
    without, with_marks = (
        _log_shares(p, groups)[whole].double().cpu().numpy() for p in (bare.softmax(1), lesson.before)
    )
    seen = lesson.features[-1][0].flatten(1).T[whole]
    return Cells(seen, without, with_marks, _near_marks(lesson, groups)[whole.cpu().numpy()])


def _log_shares(p: Tensor, groups: Tensor) -> Tensor:
    """Log of the mean probabilities of the shown classes in each cell, (h · w, K)."""
    shares = F.avg_pool2d(torch.einsum("bchw,ck->bkhw", p, groups), CELL_PX)
    return shares[0].flatten(1).T.clamp_min(1e-6).log()


def _near_marks(lesson: Lesson, groups: Tensor) -> Indices:
    """The shown class of the mark nearest to the middle of each cell, NOTHING where none is near; (h · w,)."""
    marked = np.full(lesson.valid.shape, NOTHING)
    marked[lesson.rows.cpu(), lesson.cols.cpu()] = groups[lesson.classes].argmax(1).cpu()
    distance, (rows, cols) = ndimage.distance_transform_edt(marked == NOTHING, return_indices=True)
    near = np.where(distance <= NEAR_PX, marked[rows, cols], NOTHING)
    return near[CELL_PX // 2 :: CELL_PX, CELL_PX // 2 :: CELL_PX].ravel()


def _joined(parts: Sequence[Cells]) -> Cells:
    arrays = [np.concatenate([getattr(part, name) for part in parts]) for name in ("bare", "full", "marked")]
    return Cells(torch.cat([part.colours for part in parts]), *arrays)


def _silent(cells: Cells, classes: int) -> SceneLayer:
    """A layer that says nothing yet, for the colours of this scene."""
    layer = SceneLayer(cells.colours.shape[1], classes).to(cells.colours.device)
    layer.standardise(cells.colours)
    return layer


def taught(cells: Cells, rng: np.random.Generator) -> Indices:
    """The class that each cell teaches, NOTHING if none: that of its mark, or the one that the map is sure of there."""
    shown, free = cells.bare.argmax(1), cells.marked == NOTHING
    sure = np.zeros(len(shown), bool)
    for class_id in np.unique(shown[free]):
        own = free & (shown == class_id)
        sure |= own & (cells.bare[:, class_id] >= np.quantile(cells.bare[own, class_id], 1 - SURE))
    teachers = rng.permutation(np.flatnonzero(sure))[:REPLAYED]
    classes = cells.marked.copy()
    classes[teachers] = shown[teachers]
    return classes


def _sample(layer: SceneLayer, cells: Cells, classes: Indices, regularisation: float) -> Sample:
    """The cells that teach something with the marks as input, then those near marks without."""
    near = cells.marked != NOTHING
    marked, sure = np.flatnonzero(near), np.flatnonzero((classes != NOTHING) & ~near)
    chosen = np.r_[sure, marked, marked]
    replayed = regularisation * even(np.ones(len(sure)), classes[sure])
    weight = np.r_[replayed, np.full(2 * len(marked), MARKED / max(1, 2 * len(marked)))]
    with torch.no_grad():
        waves = layer.waves(cells.colours[chosen].T[None, :, :, None])[0, :, :, 0].T
    return Sample(
        design=np.c_[waves.double().cpu().numpy(), np.full(len(chosen), FREE)],
        beside=np.r_[cells.full[sure], cells.full[marked], cells.bare[marked]],
        target=np.eye(cells.bare.shape[1])[classes[chosen]],
        weight=even(weight, classes[chosen]),
    )


def even(weight: Doubles, classes: Indices) -> Doubles:
    """The weights (N,) scaled so that all classes that have any weigh the same, 1 in all."""
    total = np.bincount(classes, weight)
    return weight / np.maximum(total, TINY)[classes] / max(1, (total > 0).sum())
