"""Temperature scaling and the calibration error against slow loops and known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from terrafine.models.certainty import calibration
from terrafine.models.data import Scene
from terrafine.models.metrics import VOID
from terrafine.models.networks.network import MarkedNetwork
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation


def sample(seed, pixels=300, classes=4, scale=3.0):
    rng = np.random.default_rng(seed)
    logits = (rng.standard_normal((pixels, classes)) * scale).astype(np.float32)
    return logits, rng.integers(0, classes, pixels)


def slow_softmax(row, temperature):
    powers = [math.exp(float(value) / temperature) for value in row]
    return [power / sum(powers) for power in powers]


def slow_error(logits, truth, temperature):
    """Pixel by pixel into bins of (index / 15, (index + 1) / 15]."""
    bins = [[] for _ in range(15)]
    for row, right in zip(logits, truth):
        shares = slow_softmax(row, temperature)
        confidence = max(shares)
        bins[min(int(confidence * 15), 14)].append((confidence, shares.index(confidence) == right))
    error = 0.0
    for content in bins:
        if content:
            mean = sum(confidence for confidence, _ in content) / len(content)
            accuracy = sum(right for _, right in content) / len(content)
            error += abs(accuracy - mean) * len(content) / len(logits)
    return error


@settings(max_examples=25)
@given(st.integers(0, 999), st.floats(0.3, 4))
def test_the_calibration_error_agrees_with_a_slow_loop(seed, temperature):
    logits, truth = sample(seed)
    assert calibration.calibration_error(logits, truth, temperature) == pytest.approx(
        slow_error(logits, truth, temperature), abs=1e-4
    )


def test_the_likelihood_agrees_with_a_slow_loop():
    logits, truth = sample(1)
    expected = -sum(math.log(slow_softmax(row, 1.7)[right]) for row, right in zip(logits, truth)) / len(truth)
    assert calibration.negative_log_likelihood(logits, truth, 1.7) == pytest.approx(expected, rel=1e-4)


def test_a_network_that_is_always_sure_and_half_right_is_off_by_half():
    logits = np.array([[50.0, 0.0]] * 10, np.float32)
    assert calibration.calibration_error(logits, np.arange(10) % 2) == pytest.approx(0.5)


@pytest.mark.parametrize("factor", [0.4, 2.5])
def test_the_temperature_undoes_a_factor_on_honest_logits(factor):
    rng = np.random.default_rng(3)
    honest = rng.standard_normal((20_000, 3)).astype(np.float32) * 2
    shares = np.exp(honest) / np.exp(honest).sum(1, keepdims=True)
    truth = (rng.random((len(shares), 1)) > shares.cumsum(1)).sum(1)
    found = calibration.calibrate(honest * np.float32(factor), truth)
    assert found.temperature == pytest.approx(factor, rel=0.05)
    assert found.error_after < 0.02 < found.error_before


def test_no_temperature_of_a_grid_is_more_likely():
    logits, truth = sample(5)
    truth = np.where(np.random.default_rng(0).random(len(truth)) < 0.6, logits.argmax(1), truth)
    best = calibration.fit_temperature(logits, truth)
    least = calibration.negative_log_likelihood(logits, truth, best)
    grid = np.geomspace(*calibration.BOUNDS, 200)
    assert all(least <= calibration.negative_log_likelihood(logits, truth, value) + 1e-5 for value in grid)


class TwoBands(MarkedNetwork):
    """The two bands are the logits."""

    def features(self, image):
        return (image,)

    def decode(self, features, marks):
        return features[0] + marks

    def image_side(self):
        return ()


def test_scenes_give_the_logits_of_the_pixels_that_are_not_void():
    classes = tuple(LandCover(i, str(i), "#000000") for i in range(2))
    spec = ModelSpec("a", "A", "x", "y", ("red", "nir"), classes, 1.0, Normalisation((0.0,) * 2, (0.5,) * 2))
    image = np.array([[[51, 102]], [[0, 255]]], np.uint8)
    scenes = [Scene("one", image, np.array([[1, VOID]], np.uint8)), Scene("two", image, np.array([[0, 1]], np.uint8))]
    logits, truth = calibration.scene_logits(spec, TwoBands(), scenes)
    assert np.allclose(logits, [[0.4, 0.0], [0.4, 0.0], [0.8, 2.0]])
    assert truth.tolist() == [1, 0, 1]
    assert torch.is_grad_enabled()
