"""How unsure a model is of each pixel: one number in [0, 1], 0 for sure (DIAL: Lenczner et al. 2022, section III-C).

Entropy and margin need the logits alone, so they cost next to nothing and follow every mark.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]
Measure = Callable[[Floats, float], Floats]


def entropy(logits: Floats, temperature: float = 1.0) -> Floats:
    """Entropy of the class probabilities ÷ log of their number.

    logits  float32 (classes, rows, columns), finite; divided by `temperature` before the softmax
    return  float32 (rows, columns): 0 where one class is certain, 1 where all are equally likely
    """
    below, powers, total = _softmax_parts(logits, temperature)
    nats = total.log().sub_(powers.mul_(below).sum(0).div_(total))
    result: Floats = nats.div_(math.log(len(logits))).clamp_(0.0, 1.0).numpy()
    return result


def margin(logits: Floats, temperature: float = 1.0) -> Floats:
    """1 − (p₁ − p₂) of the two most likely classes; shapes and ranges as of `entropy`."""
    _, powers, total = _softmax_parts(logits, temperature)
    first, second = powers[0].clone(), torch.zeros_like(total)
    for power in powers[1:]:
        second = torch.maximum(second, torch.minimum(first, power))
        first = torch.maximum(first, power)
    result: Floats = (1.0 - (first - second).div_(total)).clamp_(0.0, 1.0).numpy()
    return result


def _softmax_parts(logits: Floats, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """Logits less their maximum, the powers of e of that, and the powers' sum over the classes.

    Not torch's softmax: over the first axis of many pixels that takes thirty times as long.
    """
    scaled = torch.from_numpy(logits) / temperature
    below = scaled.sub_(scaled.amax(0))
    powers = below.exp()
    return below, powers, powers.sum(0)


PER_LOGITS: dict[str, Measure] = {"entropy": entropy, "margin": margin}
