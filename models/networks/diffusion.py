"""Side information, spread from where it is known to where it is not (SideInfNet: Koh et al. 2020, sections 3.2, 3.3).

Each annotation has a vector v of unit length: a class is a one-hot vector, numeric fields are their numbers. Vectors
that share a pixel are averaged; x is the map of them, o is 1 where there is one. With f the sum over 3×3 pixels (the
paper's fractionally strided convolution with a kernel of ones), and w learnt,

    diffused(x) = Σ_{i = 1 … n} w_i · fⁱ(x) / max(fⁱ(o), 1)

A linear layer then makes d numbers of each pixel's, and a pooling leads to stride 4. The paper has the layer first;
being linear it may as well come last, and few channels are diffused instead of many. All of that is done to the whole
map, whatever there is on it: ten thousand annotations cost what ten do.

`KernelRegression` is what the paper compares it with: "Unified" (Workman et al. 2017).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from scipy.spatial import cKDTree
from torch import Tensor, nn

STRIDE = 4
POOLED = 6  # pixels a side that a cell's maximum is taken over
ROUNDS = 5
NEAREST = 20  # annotations that a kernel regression looks at
BANDWIDTH_PX = 16.0  # at the start
TINY = 1e-12  # of a squared length


class Embedding(nn.Module):
    """The linear layer: vectors (B, inputs, H, W) → (B, dimension, H, W).

    Its columns have unit length, and so has what it makes of a class.
    """

    def __init__(self, inputs: int, dimension: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(dimension, inputs, 1, 1))

    def forward(self, vectors: Tensor) -> Tensor:
        return F.conv2d(vectors, F.normalize(self.weight, dim=0))


class Diffusion(nn.Module):
    """Annotations (B, K, H, W), 0 where there are none → side information (B, dimension, H/4, W/4).

    sparse  annotations are few, and all distances count alike at the start; else the nearest alone
    rounds  n; 0: nothing is spread at all
    coarse  spread from cell to cell of the result instead of from pixel to pixel, four times as far; a cell has the
            mean of its annotations
    """

    def __init__(
        self, inputs: int, dimension: int, sparse: bool = True, rounds: int = ROUNDS, coarse: bool = False
    ) -> None:
        super().__init__()
        self.layer, self.coarse = Embedding(inputs, dimension), coarse
        start = min(1.0, ROUNDS / max(rounds, 1))  # more rounds than the paper's weigh together what its five do
        self.weights = nn.Parameter(torch.tensor([start] * rounds if sparse else [1.0] + [0.0] * (rounds - 1))[:rounds])

    def forward(self, annotations: Tensor) -> Tensor:
        with torch.autocast(annotations.device.type, enabled=False):  # counts go beyond what half precision can count
            known = F.avg_pool2d(annotations.float(), STRIDE) if self.coarse else annotations.float()
            spread = self.diffused(known)
            spread = spread.contiguous(memory_format=torch.channels_last)  # pooling is five times as fast
        side: Tensor = self.layer(spread)
        return side if self.coarse else F.max_pool2d(side, POOLED, STRIDE, (POOLED - STRIDE) // 2)

    def diffused(self, annotations: Tensor) -> Tensor:
        x, total = with_occupancy(annotations), torch.zeros_like(annotations)
        for weight in self.weights:
            x = box_sum(x)
            total = total + weight * (x[:, :-1] / x[:, -1:].clamp_min(1.0))
        return total if len(self.weights) else x[:, :-1]


class KernelRegression(nn.Module):
    """Shapes as of Diffusion. Each cell has its nearest annotations' mean, weighted by a Gaussian of the distance.

    The bandwidth is learnt. Every marked pixel is an annotation, and all of them are searched.
    """

    def __init__(self, inputs: int, dimension: int) -> None:
        super().__init__()
        self.layer = Embedding(inputs, dimension)
        self.bandwidth = nn.Parameter(torch.tensor(BANDWIDTH_PX).log())

    def forward(self, annotations: Tensor) -> Tensor:
        regressed: Tensor = self.layer(torch.stack([self.regressed(image) for image in annotations.float()]))
        return regressed

    def regressed(self, annotations: Tensor) -> Tensor:
        """Of one image: (K, H, W) → (K, H/4, W/4)."""
        found = with_occupancy(annotations[None])[0]
        rows, cols = found[-1].nonzero(as_tuple=True)
        shape = [side // STRIDE for side in annotations.shape[1:]]
        if not len(rows):
            return annotations.new_zeros(len(annotations), *shape)
        distance, index = _nearest(rows, cols, shape)
        share = (-0.5 * (distance / self.bandwidth.exp()) ** 2).softmax(1)
        values = found[:-1, rows[index], cols[index]]  # (K, cells, nearest)
        return (values * share).sum(2).reshape(-1, *shape)


class Silence(nn.Module):
    """No side information at all: (B, 0, H/4, W/4)."""

    def forward(self, annotations: Tensor) -> Tensor:
        rows, cols = (side // STRIDE for side in annotations.shape[2:])
        return annotations.new_zeros(len(annotations), 0, rows, cols)


def box_sum(x: Tensor) -> Tensor:
    """f: the sum over 3×3 pixels, 0 outside (B, K, H, W); by slices, three times as fast as a convolution."""
    padded = F.pad(x, (1, 1, 1, 1))
    across = padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]
    return across[..., :-2, :] + across[..., 1:-1, :] + across[..., 2:, :]


def with_occupancy(annotations: Tensor) -> Tensor:
    """Vectors (B, K, H, W) of unit length, and a last channel that is 1 where there is one."""
    square = annotations.square().sum(1, keepdim=True)
    return torch.cat([annotations * square.clamp_min(TINY).rsqrt(), (square > 0).to(annotations.dtype)], 1)


def _nearest(rows: Tensor, cols: Tensor, shape: list[int]) -> tuple[Tensor, Tensor]:
    """Distances in pixels from each cell's centre to the nearest annotations, and which they are: (cells, nearest)."""
    places = torch.stack([rows, cols], 1).cpu().numpy() + 0.5
    grid = torch.cartesian_prod(*(torch.arange(side) for side in shape)).numpy()
    count = min(NEAREST, len(places))
    distance, index = cKDTree(places).query((grid + 0.5) * STRIDE, range(1, count + 1))
    return torch.from_numpy(distance).to(rows.device, torch.float32), torch.from_numpy(index).to(rows.device)
