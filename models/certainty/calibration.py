"""Probabilities that mean something: temperature scaling and what is left to be wished (Guo et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from terrafine.models.data import Scene
from terrafine.models.metrics import VOID
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.normalise import to_network
from terrafine.shared.spec import ModelSpec

BINS = 15
BOUNDS = (0.05, 20.0)  # of the temperature
Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Calibration:
    """The temperature that suits best, and the expected calibration error at 1 and at that temperature."""

    temperature: float
    error_before: float
    error_after: float


def calibrate(logits: Logits, truth: NDArray[np.integer]) -> Calibration:
    """Fit on pixels: logits (pixels, classes) and their classes (pixels,), none of them void."""
    temperature = fit_temperature(logits, truth)
    errors = (calibration_error(logits, truth, value) for value in (1.0, temperature))
    return Calibration(temperature, *errors)


def fit_temperature(logits: Logits, truth: NDArray[np.integer]) -> float:
    """The temperature within BOUNDS at which the truth is most likely."""
    found = minimize_scalar(
        lambda power: negative_log_likelihood(logits, truth, float(np.exp(power))),
        bounds=np.log(BOUNDS), method="bounded", options={"xatol": 1e-3},
    )  # fmt: skip
    return float(np.exp(found.x))


def negative_log_likelihood(logits: Logits, truth: NDArray[np.integer], temperature: float) -> float:
    """Mean over the pixels, in nats."""
    log_p = torch.from_numpy(logits).div(temperature).log_softmax(1)
    return float(torch.nn.functional.nll_loss(log_p, torch.from_numpy(truth.astype(np.int64))))


def calibration_error(logits: Logits, truth: NDArray[np.integer], temperature: float = 1.0) -> float:
    """Expected calibration error: |accuracy − mean confidence| in BINS equal bins of confidence, by share of pixels."""
    confidence, predicted = torch.from_numpy(logits).div(temperature).softmax(1).max(1)
    right = predicted.numpy() == truth
    bins = np.minimum((confidence.numpy() * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, right - confidence.double().numpy(), minlength=BINS)
    return float(np.abs(gaps).sum() / len(truth))


@torch.inference_mode()
def scene_logits(
    spec: ModelSpec, network: MarkedNetwork, scenes: Sequence[Scene], device: str = "cpu"
) -> tuple[Logits, NDArray[np.uint8]]:
    """Logits (pixels, classes) without marks, and the truth (pixels,), of all scenes, void left out; each one tile."""
    network.eval()
    logits, truths = [], []
    for scene in scenes:
        known = scene.truth != VOID
        image = to_network(scene.image.astype(np.float32) / 255.0, np.ones(known.shape, bool), spec)
        batch = torch.from_numpy(image)[None].to(device, memory_format=torch.channels_last)
        marks = torch.zeros(1, len(spec.classes), *known.shape, device=device)
        logits.append(network(batch, marks)[0].float().cpu().numpy()[:, known].T)
        truths.append(scene.truth[known])
    return np.ascontiguousarray(np.concatenate(logits)), np.concatenate(truths)
