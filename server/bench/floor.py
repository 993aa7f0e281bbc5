"""What the machine could do at best: operations ÷ its matrix rate, bytes ÷ its bandwidth, both measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from terrafine.models.infer import Predictor

SIDE = 2048  # of the matrices
COPIED = 1 << 28  # bytes, far more than any cache holds
REPEATS = 7


@dataclass(frozen=True)
class Rates:
    """Operations, and bytes read or written, a second."""

    flop: float
    bytes: float


@dataclass(frozen=True)
class Load:
    """What a tile cannot do without: its multiplications and additions; the bytes of its weights and its image."""

    flop: float
    bytes: float

    def seconds(self, rates: Rates) -> float:
        return max(self.flop / rates.flop, self.bytes / rates.bytes)


def of_device(predictor: Predictor) -> Rates:
    """Measured on the predictor's device, in its precision; the best of a few tries."""
    device = predictor.device
    matrix = torch.rand(SIDE, SIDE, device=device).to(predictor.precision)
    source = torch.zeros(COPIED, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return Rates(
        2 * SIDE**3 / _best(lambda: matrix @ matrix, device), 2 * COPIED / _best(lambda: target.copy_(source), device)
    )


@torch.no_grad()
def of_tile(predictor: Predictor) -> Load:
    """One tile with no marks."""
    spec, device = predictor.spec, predictor.device
    image = torch.zeros(1, len(spec.bands), spec.tile_px, spec.tile_px, device=device)
    marks = torch.zeros(1, len(spec.classes), spec.tile_px, spec.tile_px, device=device)
    with FlopCounterMode(display=False) as counter:
        predictor.network(image, marks)
    weights = sum(tensor.numel() for tensor in predictor.network.state_dict().values())
    return Load(float(counter.get_total_flops()), float((weights + image.numel()) * predictor.precision.itemsize))


def _best(run: Callable[[], object], device: torch.device) -> float:
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - started)
    return float(np.min(taken))
