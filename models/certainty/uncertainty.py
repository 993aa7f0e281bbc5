"""How unsure a model is of each pixel: one number in [0, 1], 0 for sure (DIAL: Lenczner et al. 2022, section III-C).

Entropy and margin need the logits alone, so they cost next to nothing and follow every mark. MC dropout runs the most
part of the decoder again and again, ODIN follows the gradient back to the image. Both are functions of the tile alone:
the same for any order and any batch. ConfidNet has a file of its own, `confidence.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from terrafine.models.networks.network import Features, MarkedNetwork

PASSES, DROPOUT = 5, 0.1  # of MC dropout (DIAL, section IV-B)
EPSILON, TEMPERATURE = 1 / 255, 100.0  # of ODIN: a step in the image's own units 0 … 1, and what divides the logits
SURE = 1e-4  # ODIN is 0 where the most likely class lacks so little of probability 1 without TEMPERATURE

Measure = Callable[[Tensor, float], Tensor]
Shown = Callable[[Tensor], Tensor]  # logits (classes, …) → those of the classes that are shown


def entropy(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Entropy of the class probabilities ÷ log of their number.

    logits  float32 (classes, rows, columns), finite; divided by `temperature` before the softmax
    return  float32 (rows, columns): 0 where one class is certain, 1 where all are equally likely
    """
    below, powers, total = _softmax_parts(logits, temperature)
    nats = total.log().sub_(powers.mul_(below).sum(0).div_(total))
    return nats.div_(math.log(len(logits))).clamp_(0.0, 1.0)


def margin(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """1 − (p₁ − p₂) of the two most likely classes; shapes and ranges as of `entropy`."""
    _, powers, total = _softmax_parts(logits, temperature)
    first, second = powers[0].clone(), torch.zeros_like(total)
    for power in powers[1:]:
        second = torch.maximum(second, torch.minimum(first, power))
        first = torch.maximum(first, power)
    return (1.0 - (first - second).div_(total)).clamp_(0.0, 1.0)


def _softmax_parts(logits: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """Logits less their maximum, the powers of e of that, and the powers' sum over the classes.

    Not torch's softmax, which takes many times as long over the first axis of many pixels.
    """
    scaled = logits / temperature
    below = scaled.sub_(scaled.amax(0))
    powers = below.exp()
    return below, powers, powers.sum(0)


PER_LOGITS: dict[str, Measure] = {"entropy": entropy, "margin": margin}


def as_they_are(logits: Tensor) -> Tensor:
    """Every class is shown as itself."""
    return logits


def mc_dropout(
    network: MarkedNetwork, features: Features, marks: Tensor, temperature: float = 1.0, shown: Shown = as_they_are
) -> Tensor:
    """How much the class probabilities differ over PASSES thinned networks (Gal and Ghahramani 2016).

    features, marks  of B tiles, as MarkedNetwork.decode takes them
    return           float32 (B, H, W): the standard deviation, relative to the largest that there can be: the square
                     root of Σ_c Var p_c ÷ (1 − 1 / classes), over those that are shown (two at least), so that 8
                     bits tell small ones apart

    Every tile sees the same thinned networks, so that nothing changes where two tiles meet.
    """
    passes = [ThinnedNetwork(seed) for seed in range(PASSES)]
    logits = shown(torch.stack([thin.float().transpose(0, 1) for thin in network.thinned(features, marks, passes)], 1))
    probabilities = logits.div(temperature).softmax(0)
    variance = probabilities.var(1, unbiased=False).sum(0)
    return variance.div_(1 - 1 / len(logits)).sqrt_().clamp_(0.0, 1.0)


class ThinnedNetwork:
    """Dropout that takes out whole channels, drawn from a seed alone, so that each seed names one thinner network."""

    def __init__(self, seed: int, rate: float = DROPOUT) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._rate = rate

    def __call__(self, x: Tensor) -> Tensor:
        kept = torch.rand(x.shape[1], generator=self._generator) >= self._rate
        return x * (kept.to(x) / (1 - self._rate))[:, None, None]


def odin(
    network: MarkedNetwork,
    images: Tensor,
    marks: Tensor,
    std: Tensor,
    temperature: float = 1.0,
    shown: Shown = as_they_are,
) -> Tensor:
    """1 − the largest probability, of hot logits and of an image nudged towards its classes (Liang et al. 2018).

    images  (B, bands, H, W), normalised with `std` (bands,), the image's own units to one of the network's
    return  float32 (B, H, W): 1 where all classes that are shown (two at least) are equally likely, 0 from the
            probability 1 − SURE upwards

    The step *raises* the largest probability, as ODIN's equation 2 has it: what the network knows gains more by that
    than what it does not.
    """
    heat = temperature * TEMPERATURE
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        largest = _largest_probability(shown(network(images, marks).float().transpose(0, 1)), heat)
        (slope,) = torch.autograd.grad(largest.log().sum(), images)
    nudged = images.detach() + EPSILON * slope.sign() / std[:, None, None]
    with torch.no_grad():
        logits = shown(network(nudged, marks).float().transpose(0, 1))
    return _lack_of(_largest_probability(logits, heat), len(logits))


def _largest_probability(logits: Tensor, heat: float) -> Tensor:
    """Of logits (classes, …)."""
    return (logits / heat).softmax(0).amax(0)


def _lack_of(largest: Tensor, classes: int) -> Tensor:
    """The largest probability (B, H, W) at TEMPERATURE, turned round and stretched to [0, 1]."""
    gap = math.log((classes - 1) * (1 - SURE) / SURE)  # between the sure class's logit and the others', all the same
    sure = 1 / (1 + (classes - 1) * math.exp(-gap / TEMPERATURE))
    return ((sure - largest) / (sure - 1 / classes)).clamp_(0.0, 1.0)
