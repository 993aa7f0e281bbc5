"""Learning the scene layer (`networks/scene.py`): at once, from marks and from what the map is sure of.

The layer's output is added to the network's logits of the classes that are shown; its weights minimise

    Σ over cells of weight · cross entropy of softmax(log p + layer) to the class that the cell teaches
    + RIDGE · ‖weights − weights before‖²

which is convex. Cells near a mark teach its class; of every class, those that the map without marks is surest of teach
that the map was right (DISCA's regularisation, with confident labels in place of L1), unless the marks as input say
otherwise. All are seen with the marks as input, as the analyst sees the map; those near marks also without, so that
what they say is known without them.

What is found is added in full where the map is unsure, and in part where it is not: it would rather cost there.

Classes weigh nearly the same: marks lie where the map is wrong, mostly on one side of one kind of mistake, and what
learns from one class alone forgets the others. Classes that others were merged into are one class here.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from terrafine.models.infer import Predictor
from terrafine.models.learning.lesson import Example
from terrafine.models.learning.regression import Doubles, Sample, solve
from terrafine.models.learning.scene_cells import NOTHING, Indices, SceneCells, cells_of
from terrafine.models.networks.linknet import LateLinkNet
from terrafine.models.networks.scene import SceneLayer

SURE = 0.3  # the share of a class's cells that teach it
LEFT = 0.25  # of a teacher's class, with the marks as input: where less is left, the analyst has said that it is wrong
EVEN = 0.75  # a class weighs what its share of the map is to the power of 1 − EVEN: 1 would be the same for all
MARKED = 0.25  # what cells near marks weigh beside the others, before classes are made even
REPLAYED = 2048  # cells that the map is sure of, at most
RIDGE = 0.1
WEAK, PER_DOUBT = 0.5, 3.0  # what is found speaks with 3 times the map's mean doubt, at least with half its strength
FREE = 10.0  # the bias as a weight of this constant: the ridge is hardly felt
TINY = 1e-12


def learn(
    predictor: Predictor, examples: Sequence[Example], groups: Tensor, regularisation: float, seed: int
) -> tuple[LateLinkNet, float, float]:
    """The predictor's network with a scene layer, or with another one that goes on from the one it has.

    groups  float32 (classes, K), 1 where a class is shown as the k-th of those that are

    Also returns the shares of the marked pixels in whose cells the network is right without marks as input, before and
    after. The predictor stays as it is, and shares the memory of all but the layer.
    """
    network = cast(LateLinkNet, predictor.network.sharing_copy())
    groups = groups.to(predictor.device)
    cells = cells_of(predictor, examples, groups)
    layer = copy.deepcopy(network.scene) if network.scene is not None else _silent(cells, len(groups))
    sample = _sample(layer, cells, taught(cells, np.random.default_rng(seed)), regularisation)
    found = strength(cells) * solve(np.zeros((sample.design.shape[1], groups.shape[1])), sample, RIDGE)
    own = np.flatnonzero(cells.held)
    right = [_right(cells, own, said) for said in (0.0, _design(layer, cells, own) @ found)]
    change = torch.from_numpy(found).to(groups) @ groups.T
    with torch.no_grad():
        layer.weight.add_(change[:-1].T)
        layer.bias.add_(FREE * change[-1])
    network.scene = layer
    return network, right[0], right[1]


def _silent(cells: SceneCells, classes: int) -> SceneLayer:
    """A layer that says nothing yet, for the colours of this scene."""
    layer = SceneLayer(cells.colours.shape[1], classes).to(cells.colours.device)
    layer.standardise(cells.colours)
    return layer


def taught(cells: SceneCells, rng: np.random.Generator) -> Indices:
    """The class that each cell teaches, NOTHING if none: that of its mark, or the one that the map is sure of there and
    that the marks have not taken away.
    """
    shown = cells.bare.argmax(1)
    left = cells.full[np.arange(len(shown)), shown] >= np.log(LEFT)
    free, sure = (cells.marked == NOTHING) & left, np.zeros(len(shown), bool)
    for class_id in np.unique(shown[free]):
        own = free & (shown == class_id)
        sure |= own & (cells.bare[:, class_id] >= np.quantile(cells.bare[own, class_id], 1 - SURE))
    teachers = rng.permutation(np.flatnonzero(sure))[:REPLAYED]
    classes = cells.marked.copy()
    classes[teachers] = shown[teachers]
    return classes


def _sample(layer: SceneLayer, cells: SceneCells, classes: Indices, regularisation: float) -> Sample:
    """The cells that teach something with the marks as input, then those near marks without."""
    near = cells.marked != NOTHING
    marked, sure = np.flatnonzero(near), np.flatnonzero((classes != NOTHING) & ~near)
    chosen, count = np.r_[sure, marked, marked], cells.bare.shape[1]
    shares = _shares(cells)
    replayed = regularisation * even(np.ones(len(sure)), classes[sure], shares)
    weight = np.r_[replayed, np.full(2 * len(marked), MARKED / max(1, 2 * len(marked)))]
    return Sample(
        design=_design(layer, cells, chosen),
        beside=np.r_[cells.full[sure], cells.full[marked], cells.bare[marked]],
        target=np.eye(count)[classes[chosen]],
        weight=even(weight, classes[chosen], shares),
    )


def strength(cells: SceneCells) -> float:
    """How much of what is found is said: less where the map without marks is sure of itself and has little to learn."""
    doubt = 1.0 - np.exp(cells.bare).max(1).mean()
    return float(np.clip(PER_DOUBT * doubt, WEAK, 1.0))


@torch.no_grad()
def _design(layer: SceneLayer, cells: SceneCells, chosen: Indices) -> Doubles:
    """What the layer is linear in, of those cells: (M, waves + 1)."""
    waves = layer.waves(cells.colours[torch.from_numpy(chosen)].T[None, :, :, None])[0, :, :, 0].T
    return np.c_[waves.double().cpu().numpy(), np.full(len(chosen), FREE)]


def _shares(cells: SceneCells) -> Doubles:
    """What each class is of the map without marks, (K,); a class that is only marked counts as one cell."""
    count = np.bincount(cells.bare.argmax(1), minlength=cells.bare.shape[1])
    return np.maximum(count, 1) / len(cells.bare)


def even(weight: Doubles, classes: Indices, shares: Doubles) -> Doubles:
    """The weights (N,) scaled so that each class that has any weighs its share to the power of 1 − EVEN, in all 1."""
    total = np.bincount(classes, weight, len(shares))
    wanted = np.where(total > 0, shares ** (1 - EVEN), 0.0)
    return weight * (wanted / max(TINY, wanted.sum()) / np.maximum(total, TINY))[classes]


def _right(cells: SceneCells, own: Indices, said: Doubles | float) -> float:
    """The share of the marked pixels, all in the cells `own`, whose class the map without marks and `said` show."""
    is_right = (cells.bare[own] + said).argmax(1) == cells.marked[own]
    return float(is_right @ cells.held[own] / max(1, cells.held.sum()))
