"""How much each pixel looks like each class's marks.

A mark says something about the pixels that look like it, near it above all. Every head h attends from a pixel x over
all marked cells m of the tile, and over "none of them":

    a_h(x, m) = κ_h · cos(e(x), e(m)) − λ_h · |c(x) − c(m)|² − |x − m| / ℓ_h
                                                             e: an embedding of the image, learnt; c: its colour
    f(x, m)   = max(0, 1 − |x − m|² / R²)                    R: as far as any mark is believed
    s_h,c(x)  = √ Σ_{m of class c} (f(x, m) · exp a_h(x, m))²
    p_h,c(x)  = s_h,c(x) / (exp b_h + Σ_c s_h,c(x))

With κ, λ, ℓ and b learnt, p lies in [0, 1], is 0 where nothing is marked, and adds up to less than 1 over the classes.
What the embedding tells apart was learnt on the images of training; colours differ in any image (docs/decisions/0011).
It is near the kernel regression over annotations of "Unified" (Workman et al. 2017), on learnt features beside places.
The root of the sum of squares, instead of the sum, keeps a long stroke's many cells from reaching much farther than a
point's few, and still lets marks that agree add up (docs/benchmarks.md compares them, and the largest alone).
R is no weight but an option of the model, endless by default (docs/decisions/0008).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from terrafine.shared.geo import Window, blocks, slices

MARKED = 0.8  # a cell is marked if its channel comes this close to 1
BLOCK = 32  # pixels are looked at by squares of so many cells, for which most marks are out of reach
MAX_CELLS = 256  # marked cells that are attended to from one block; of more, evenly spread ones
PART, FEW_CELLS = 16, 64  # for more cells than a few, blocks are cut once more: to fit into the processor's cache
TINY = 1e-30  # the root's slope is endless at 0
# κ, ℓ (in cells) and b at the start: far, middle and near
START = ((12.0, 200.0, 9.8), (8.0, 24.0, 4.8), (4.0, 6.0, -0.2))
UNLIKE = 10.0  # λ at the start, for colours as the network is given them


class MarkAffinity(nn.Module):
    """Embedding (B, D, H, W) of unit length, colours (B, bands, H, W), marks (B, classes, H, W) → affinities
    (B, heads · classes, H, W)."""

    def __init__(self, farthest: float = math.inf) -> None:
        """`farthest`: R in cells; from there on a mark has no affinity to anything."""
        super().__init__()
        self.farthest = farthest
        start = torch.tensor(START)
        self.sharpness = nn.Parameter(start[:, 0].log())
        self.unlike = nn.Parameter(torch.full((len(START),), UNLIKE).log())
        self.reach = nn.Parameter(start[:, 1].log())
        self.nothing = nn.Parameter(start[:, 2].clone())

    @property
    def heads(self) -> int:
        return len(START)

    def forward(self, embedding: Tensor, colours: Tensor, marks: Tensor) -> Tensor:
        with torch.autocast(embedding.device.type, enabled=False):  # what goes into exp needs its digits
            known = zip(embedding.float(), _with_square(colours.float()), marks.float())
            return torch.stack([self._one((e, c), m) for e, c, m in known])

    def _one(self, looks: tuple[Tensor, Tensor], marks: Tensor) -> Tensor:
        classes, rows, cols = marks.shape
        shares = marks.new_zeros(self.heads, classes, rows, cols)
        cells, whole = (marks > MARKED).nonzero(), Window(0, 0, cols, rows)  # (M, 3): class, row, column
        for part, near in self._parts(cells, whole):
            here = (..., *slices(part, whole))
            marked, pixels = [x[:, near[:, 1], near[:, 2]] for x in looks], [x[here].flatten(1) for x in looks]
            owner = F.one_hot(near[:, 0], classes).T.to(marks.dtype)
            shares[here] = self._shares(marked, pixels, _squared(near, part), owner).unflatten(-1, part.shape)
        return shares.flatten(0, 1)

    def _parts(self, cells: Tensor, whole: Window) -> Iterator[tuple[Window, Tensor]]:
        """Parts of the map, each with the marked cells that it attends to; those that have none are left out."""
        for block in blocks(whole, BLOCK) if len(cells) else ():
            near = _thinned(self._within_reach(cells, block))
            is_cut = len(near) > FEW_CELLS and cells.device.type == "cpu"
            for part in blocks(block, PART) if is_cut else (block,):
                attended = self._within_reach(near, part)
                if len(attended):
                    yield part, attended

    def _within_reach(self, cells: Tensor, part: Window) -> Tensor:
        return cells[_gap(cells, part) < self.farthest]

    def _shares(self, marked: Sequence[Tensor], pixels: Sequence[Tensor], squared: Tensor, owner: Tensor) -> Tensor:
        """p of all heads, (heads, classes, N), of N pixels.

        marked   embedding (D, M) and colours with their square (bands + 2, M) of the cells that count here
        pixels   the same of the pixels, (D, N) and (bands + 2, N)
        squared  (M, N): how far they are, squared
        owner    (classes, M): 1 where a cell is of a class
        """
        sharpness, unlike = self.sharpness.exp()[:, None, None], self.unlike.exp()[:, None, None]
        nothing = self.nothing[:, None, None]
        largest = torch.maximum(sharpness, nothing).detach()  # score: everything is divided by exp of it
        score = squared.sqrt() * (-2 / self.reach.exp()[:, None, None]) - 2 * largest
        for factor, of_mark, of_pixel in zip((sharpness, unlike), (marked[0], _against(marked[1])), pixels):
            score = score.baddbmm_(2 * factor * of_mark.T, of_pixel.expand(self.heads, -1, -1))
        believed = (squared * (-1 / self.farthest**2)).add_(1).clamp_min_(0).square_()  # f²
        squares = score.exp_() * believed  # (heads, M, N)
        by_class = (owner @ squares + TINY).sqrt()
        return by_class / (by_class.sum(1, keepdim=True) + (nothing - largest).exp())


def _with_square(colours: Tensor) -> Tensor:
    """(B, bands, …) → (B, bands + 2, …): |c|² and 1 below c."""
    squared = colours.square().sum(1, keepdim=True)
    return torch.cat([colours, squared, torch.ones_like(squared)], 1)


def _against(colours: Tensor) -> Tensor:
    """Of colours with their square (bands + 2, M) what times another's is −|c − c'|², multiplied out."""
    return torch.cat([2 * colours[:-2], -colours[-1:], -colours[-2:-1]])


def _thinned(cells: Tensor) -> Tensor:
    if len(cells) <= MAX_CELLS:
        return cells
    spread = torch.linspace(0, len(cells) - 1, MAX_CELLS, device=cells.device).round().long()
    return cells[spread]


def _gap(cells: Tensor, block: Window) -> Tensor:
    """(M,): from each marked cell's centre to the nearest cell's of the block."""
    row = cells[:, 1] - cells[:, 1].clamp(block.row, block.row_end - 1)
    col = cells[:, 2] - cells[:, 2].clamp(block.col, block.col_end - 1)
    return (row.square() + col.square()).float().sqrt()


def _squared(cells: Tensor, block: Window) -> Tensor:
    """(M, h · w): from each marked cell's centre to each cell's of the block, in cells, squared."""
    row = torch.arange(block.row, block.row_end, device=cells.device)[:, None] - cells[:, 1, None, None]
    col = torch.arange(block.col, block.col_end, device=cells.device) - cells[:, 2, None, None]
    return (row.square().float() + col.square().float()).flatten(1)
