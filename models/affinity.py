"""How much each pixel looks like each class's marks.

A mark says something about the pixels that look like it, near it above all. Every head h attends from a pixel x over
all marked cells m of the tile, and over "none of them":

    a_h(x, m) = κ_h · cos(e(x), e(m)) − |x − m| / ℓ_h        e: an embedding of the image, learnt
    f(x, m)   = max(0, 1 − |x − m|² / R²)                    R: as far as any mark is believed
    s_h,c(x)  = √ Σ_{m of class c} (f(x, m) · exp a_h(x, m))²
    p_h,c(x)  = s_h,c(x) / (exp b_h + Σ_c s_h,c(x))

With κ, ℓ and b learnt, p lies in [0, 1], is 0 where nothing is marked, and adds up to less than 1 over the classes.
It is near the kernel regression over annotations of "Unified" (Workman et al. 2017), on learnt features beside places.
The root of the sum of squares, instead of the sum, keeps a long stroke's many cells from reaching much farther than a
point's few, and still lets marks that agree add up (docs/benchmarks.md compares them, and the largest alone).
R is no weight but an option of the model, endless by default (docs/decisions/0008).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

MARKED = 0.8  # a cell is marked if its channel comes this close to 1
MAX_CELLS = 256  # marked cells that are attended to in one tile; of more, evenly spread ones
TINY = 1e-30  # the root's slope is endless at 0
# κ, ℓ (in cells) and b at the start: far, middle and near
START = ((12.0, 200.0, 10.2), (8.0, 24.0, 5.2), (4.0, 6.0, 0.2))


class MarkAffinity(nn.Module):
    """Embedding (B, D, H, W) of unit length and marks (B, classes, H, W) → affinities (B, heads · classes, H, W)."""

    def __init__(self, farthest: float = math.inf) -> None:
        """`farthest`: R in cells; from there on a mark has no affinity to anything."""
        super().__init__()
        self.farthest = farthest
        start = torch.tensor(START)
        self.sharpness = nn.Parameter(start[:, 0].log())
        self.reach = nn.Parameter(start[:, 1].log())
        self.nothing = nn.Parameter(start[:, 2].clone())

    @property
    def heads(self) -> int:
        return len(START)

    def forward(self, embedding: Tensor, marks: Tensor) -> Tensor:
        with torch.autocast(embedding.device.type, enabled=False):  # what goes into exp needs its digits
            return torch.stack([self._one(e, m) for e, m in zip(embedding.float(), marks.float())])

    def _one(self, embedding: Tensor, marks: Tensor) -> Tensor:
        classes, rows, cols = marks.shape
        cells = _marked_cells(marks)  # (M, 3): class, row, column
        if len(cells) == 0:
            return marks.new_zeros(self.heads * classes, rows, cols)
        seen = embedding[:, cells[:, 1], cells[:, 2]].T, embedding.flatten(1)
        owner = F.one_hot(cells[:, 0], classes).T.to(embedding.dtype)  # (classes, M)
        place = _distance(cells, rows, cols)
        believed = (1 - (place / self.farthest).square_()).clamp_min_(0).square_()  # f²
        maps = [self._shares(head, *seen, place, believed, owner) for head in range(self.heads)]
        return torch.cat(maps).reshape(-1, rows, cols)

    def _shares(
        self, head: int, marked: Tensor, pixels: Tensor, place: Tensor, believed: Tensor, owner: Tensor
    ) -> Tensor:
        """p of one head, (classes, pixels). Everything is divided by exp of the largest score there can be."""
        sharpness, nothing = self.sharpness[head].exp(), self.nothing[head]
        largest = torch.maximum(sharpness, nothing).detach()
        far = torch.addcmul(-2 * largest, place, -2 / self.reach[head].exp())
        squares = torch.addmm(far, 2 * sharpness * marked, pixels).exp_() * believed  # (M, pixels)
        by_class = (owner @ squares + TINY).sqrt()
        return by_class / (by_class.sum(0) + (nothing - largest).exp())


def _marked_cells(marks: Tensor) -> Tensor:
    cells = (marks > MARKED).nonzero()
    if len(cells) <= MAX_CELLS:
        return cells
    spread = torch.linspace(0, len(cells) - 1, MAX_CELLS, device=cells.device).round().long()
    return cells[spread]


def _distance(cells: Tensor, rows: int, cols: int) -> Tensor:
    """(M, rows · cols): from each marked cell's centre to each cell's, in cells."""
    row = torch.arange(rows, device=cells.device)[:, None] - cells[:, 1, None, None]
    col = torch.arange(cols, device=cells.device) - cells[:, 2, None, None]
    return (row.square() + col.square()).float().sqrt().flatten(1)
