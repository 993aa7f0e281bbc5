"""The last layer alone, learnt at once: a multinomial logistic regression on what the layer sees.

The layer is linear, so the logits of a pixel are a row of numbers, its *design*, times the layer's weights, plus what
the network adds beside it (`MarkedNetwork.trunk`). The weights minimise

    mean over the marked pixels of the cross entropy of p to what the mark means
    + λ · mean over replayed pixels of KL(p₀ ‖ p)  +  ridge · ‖weights − weights before‖²

The marked pixels are seen without marks as input, so that the network must know by itself what they say; the replayed
ones, drawn from those with data, are seen both ways. p₀ is the map before learning, as the analyst sees it. A mark in a
class that others were merged into means each of them, in their shares before. The sum is convex, and L-BFGS solves it
in a fraction of a second. To replay the map that was there is the idea of Robinson et al. 2020 ("Human-machine
collaboration for fast land cover mapping"); KL stands in for DISCA's L1, which has no gradient where the network is
sure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from scipy import special
from torch import Tensor, nn

from terrafine.models.learning.lesson import Lesson, precision
from terrafine.models.learning.regression import Doubles, Sample, solve
from terrafine.models.networks.merged import Merged, linear_layer
from terrafine.models.networks.network import MarkedNetwork

REPLAYED = 512


def learn(network: MarkedNetwork, lessons: Sequence[Lesson], regularisation: float, seed: int) -> tuple[float, float]:
    """Solve for the weights of the network's last layer, in place.

    Returns the shares of the marked pixels that it has right without marks as input, before and after.
    """
    rng, head = np.random.default_rng(seed), network.head
    if isinstance(head, Merged):
        lessons, head = [_unmerged(lesson, head) for lesson in lessons], head.layer
    count = sum(len(lesson.classes) for lesson in lessons)
    valid = sum(int(lesson.valid.sum()) for lesson in lessons)
    marked, replayed = [], []
    for lesson in lessons:
        bare, full = _Look(head, _without_marks(network, lesson)), _Look(head, lesson.trunk)
        marked.append(bare.sample(lesson.rows, lesson.cols, _meant(lesson), len(lesson.classes) / count))
        share = int(lesson.valid.sum()) / valid
        rows, cols = _draw(lesson.valid, math.ceil(REPLAYED * share), rng)
        target = lesson.before[0, :, rows, cols].T
        replayed += [look.sample(rows, cols, target, regularisation * share / 2) for look in (bare, full)]
    start = weights(head).double().cpu().numpy()
    solved = solve(start, _joined(marked + replayed))
    set_weights(head, torch.from_numpy(solved).float())
    shown_as = lessons[0].shown_as.double().cpu().numpy()
    return _right(_joined(marked), start, shown_as), _right(_joined(marked), solved, shown_as)


@torch.no_grad()
def _unmerged(lesson: Lesson, head: Merged) -> Lesson:
    """The lesson in the outputs of the head's layer, each shown as what its class is shown as."""
    x, beside = lesson.trunk
    before = (head.layer(x.float()) + beside).softmax(1)
    return replace(lesson, before=before, shown_as=lesson.shown_as[head.classes])


def _meant(lesson: Lesson) -> Tensor:
    """What each marked pixel should be, (M, classes): the classes that its mark means, in their shares before."""
    shares = torch.where(lesson.meant, lesson.before[0, :, lesson.rows, lesson.cols].T.clamp_min(1e-6), 0.0)
    return shares / shares.sum(1, keepdim=True)


def _right(sample: Sample, values: Doubles, shown_as: Doubles) -> float:
    shown = special.softmax(sample.design @ values + sample.beside, axis=1) @ shown_as
    return float((shown.argmax(1) == (sample.target @ shown_as).argmax(1)).mean())


def _draw(valid: Tensor, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    rows, cols = valid.nonzero(as_tuple=True)
    chosen = torch.from_numpy(rng.choice(len(rows), count)).to(valid.device)
    return rows[chosen], cols[chosen]


@torch.no_grad()
def _without_marks(network: MarkedNetwork, lesson: Lesson) -> tuple[Tensor, Tensor]:
    with precision(lesson.image.device):
        return network.trunk(lesson.features, lesson.unseen)


class _Look:
    """What the last layer sees of a lesson, and what is added to its output: `MarkedNetwork.trunk`."""

    def __init__(self, head: nn.Module, trunk: tuple[Tensor, Tensor]) -> None:
        self.head, self.x, self.beside = head, trunk[0].float(), trunk[1].float()

    def sample(self, rows: Tensor, cols: Tensor, target: Tensor, weight: float) -> Sample:
        """Those pixels, with `weight` in all."""
        beside = self.beside[0, :, rows, cols].T if self.beside.ndim else self.beside.expand(target.shape)
        numbers = design(self.head, self.x, rows, cols), beside, target
        arrays = [values.double().cpu().numpy() for values in numbers]
        return Sample(arrays[0], arrays[1], arrays[2], np.full(len(rows), weight / len(rows)))


def _joined(parts: Sequence[Sample]) -> Sample:
    columns = zip(*((part.design, part.beside, part.target, part.weight) for part in parts))
    return Sample(*(np.concatenate(column) for column in columns))


def design(head: nn.Module, x: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    """The numbers (N, D) that, times `weights(head)`, are the output of `head` on x (1, C, h, w) at those pixels."""
    if isinstance(head, nn.ConvTranspose2d):
        parts = _of_transposed(head, x, rows, cols)
    else:
        parts = _of_convolution(*_convolution(head), x, rows, cols)
    return torch.cat([parts, torch.ones_like(parts[:, :1])], 1)


def weights(head: nn.Module) -> Tensor:
    """The layer's weights as (D, classes), the bias last."""
    layer = linear_layer(head)
    order = (2, 3, 0, 1) if isinstance(layer, nn.ConvTranspose2d) else (1, 2, 3, 0)
    weight = layer.weight.detach().permute(order)
    return torch.cat([weight.reshape(-1, weight.shape[-1]), cast(Tensor, layer.bias).detach()[None]])


@torch.no_grad()
def set_weights(head: nn.Module, values: Tensor) -> None:
    """The inverse of `weights`."""
    layer = linear_layer(head)
    order = (2, 3, 0, 1) if isinstance(layer, nn.ConvTranspose2d) else (1, 2, 3, 0)
    back = [order.index(axis) for axis in range(4)]
    shape = [layer.weight.shape[axis] for axis in order]
    layer.weight.copy_(values[:-1].reshape(shape).permute(back))
    cast(Tensor, layer.bias).copy_(values[-1])


def _of_transposed(head: nn.ConvTranspose2d, x: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    """Each output pixel sees one cell, through the weights of its place in the stride."""
    stride = head.stride[0]
    place = (rows % stride) * stride + cols % stride
    cells = x[0, :, rows // stride, cols // stride].T
    spread = cells.new_zeros(len(cells), stride**2, cells.shape[1])
    spread[torch.arange(len(cells), device=cells.device), place] = cells
    return spread.flatten(1)


def _of_convolution(layer: nn.Conv2d, scale: float, corners: bool, x: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    """The neighbourhoods of all cells, interpolated at the pixels: the same as a convolution that is interpolated."""
    height, width = x.shape[-2:]
    near = F.unfold(x, layer.kernel_size, padding=cast("tuple[int, int]", layer.padding)).reshape(1, -1, height, width)
    sizes = [round(height * scale), round(width * scale)]
    y, x_ = ((2 * index / (n - 1) if corners else (2 * index + 1) / n) - 1 for index, n in zip((rows, cols), sizes))
    grid = torch.stack([x_, y], -1)[None, None].to(near.dtype)
    found = F.grid_sample(near, grid, padding_mode="border", align_corners=corners)
    return found[0, :, 0].T


def _convolution(head: nn.Module) -> tuple[nn.Conv2d, float, bool]:
    """A library head: a convolution, perhaps an enlargement; (convolution, factor, do corners align?)."""
    layer, layers = cast(nn.Conv2d, linear_layer(head)), list(head.children())
    if len(layers) > 1 and isinstance(layers[1], nn.Upsample):
        return layer, float(cast(float, layers[1].scale_factor)), bool(layers[1].align_corners)
    return layer, 1.0, False
