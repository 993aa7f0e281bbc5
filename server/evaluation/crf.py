"""A conditional random field on a map's probabilities: the classical way to sharpen a map, to compare with.

Mean field (Krähenbühl and Koltun 2011) with messages from near pixels only, as convolutional CRFs have it (Teichmann
and Cipolla 2018): a pixel is like its neighbours, the more so the nearer and the more alike in colour they are.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

STEPS = 5
REACH, APART = 3, 3  # neighbours in each direction, and pixels between them
SPACE_PX, COLOUR = 6.0, 0.1  # standard deviations: of the distance, and of colours in 0 … 1
STRENGTH = 4.0  # of all messages together, against the network's logits
Floats = NDArray[np.float32]


@torch.inference_mode()
def refined(logits: Floats, image: Floats, temperature: float = 1.0) -> Floats:
    """Logits float32 (classes, rows, columns) and the image (bands, rows, columns) in [0, 1] → logits."""
    unary, colours = torch.from_numpy(logits) / temperature, torch.from_numpy(image)
    kernel = [(offset, _likeness(colours, *offset)) for offset in _offsets()]
    total = sum(weight for _, weight in kernel)
    energy = unary
    for _ in range(STEPS):
        believed = energy.softmax(0)
        messages = sum(_moved(believed, *offset) * weight for offset, weight in kernel)
        energy = unary + STRENGTH * messages / total
    result: Floats = (energy * temperature).numpy()
    return result


def _offsets() -> Iterator[tuple[int, int]]:
    for row in range(-REACH, REACH + 1):
        for col in range(-REACH, REACH + 1):
            if (row, col) != (0, 0):
                yield row * APART, col * APART


def _likeness(colours: Tensor, row: int, col: int) -> Tensor:
    """Of each pixel and the one so many rows and columns away: (rows, columns) in (0, 1], 0 beyond the edge."""
    squared = (colours - _moved(colours, row, col)).square().sum(0) / (2 * COLOUR**2)
    inside = _moved(torch.ones(1, *colours.shape[1:]), row, col)[0]
    near = float(np.exp(-(row**2 + col**2) / (2 * SPACE_PX**2)))
    return near * torch.exp(-squared) * inside


def _moved(maps: Tensor, row: int, col: int) -> Tensor:
    """What lies so many rows and columns away, 0 beyond the edge."""
    height, width = maps.shape[1:]
    padded = F.pad(maps, (max(0, -col), max(0, col), max(0, -row), max(0, row)))
    top, left = max(0, row), max(0, col)
    return padded[:, top : top + height, left : left + width]
