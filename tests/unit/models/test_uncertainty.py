"""Measures of uncertainty against scipy, slow loops and networks worked by hand."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from terrafine.models import registry
from terrafine.models.certainty import uncertainty
from terrafine.models.infer import Predictor
from terrafine.models.learning.grow import as_shown
from terrafine.models.networks.network import MarkedNetwork
from terrafine.shared.errors import UnusableModel
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

shapes = st.tuples(st.integers(2, 6), st.just(3), st.just(4))
any_logits = arrays(np.float32, shapes, elements=st.floats(-90, 90, width=32))
temperatures = st.floats(0.2, 5)


def spec(**changes):
    classes = tuple(LandCover(i, f"class {i}", f"#{i:06x}") for i in range(3))
    values = {
        "name": "tiny", "title": "Tiny", "architecture": "linknet", "encoder": "mobilenet_v2_same",
        "bands": ("red", "green", "blue"), "classes": classes, "gsd_m": 0.5, "uncertainty": ("mc-dropout", "odin"),
        "normalisation": Normalisation((0.5,) * 3, (0.5, 0.25, 0.125)), "tile_px": 64, "overlap_px": 16,
    }  # fmt: skip
    return ModelSpec(**{**values, **changes})


@settings(max_examples=50)
@given(any_logits, temperatures)
def test_entropy_agrees_with_scipy(logits, temperature):
    probabilities = scipy.special.softmax(logits.astype(np.float64) / temperature, axis=0)
    expected = scipy.stats.entropy(probabilities, axis=0) / math.log(len(logits))
    assert np.allclose(uncertainty.entropy(torch.from_numpy(logits), temperature), expected, atol=2e-5)


@settings(max_examples=50)
@given(any_logits, temperatures)
def test_margin_agrees_with_sorted_probabilities(logits, temperature):
    probabilities = np.sort(scipy.special.softmax(logits.astype(np.float64) / temperature, axis=0), axis=0)
    expected = 1 - (probabilities[-1] - probabilities[-2])
    assert np.allclose(uncertainty.margin(torch.from_numpy(logits), temperature), expected, atol=2e-5)


@pytest.mark.parametrize("measure", uncertainty.PER_LOGITS.values())
def test_a_tie_is_1_and_a_certain_class_is_0(measure):
    logits = torch.zeros(5, 1, 2)
    logits[3, 0, 1] = 500.0
    before = logits.clone()
    assert measure(logits, 1.0).tolist() == [[1.0, 0.0]]
    assert torch.equal(logits, before)


class Linear(MarkedNetwork):
    """Logits (w · image, 0): one weight a band, each pixel alone."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights))

    def features(self, image):
        return (image,)

    def image_side(self):
        return ()

    def decode(self, features, marks):
        score = torch.einsum("bchw,c->bhw", features[0], self.weights)
        return torch.stack([score, torch.zeros_like(score)], dim=1)


def odin_by_hand(score, weights, std):
    """Class 0 wins where score > 0, and its logit rises by ε Σ |w| / std where the image is nudged towards it."""
    step = sum(abs(w) / s for w, s in zip(weights, std)) / 255
    gap = abs(score) + step
    sure = 1 / (1 + math.exp(-math.log((1 - 1e-4) / 1e-4) / 100))
    return (sure - 1 / (1 + math.exp(-gap / 100))) / (sure - 0.5)


@pytest.mark.parametrize("pixel", [(0.4, -0.3), (-0.4, 0.3), (2.0, 1.0)])
def test_odin_on_a_linear_network_is_what_the_hand_works_out(pixel):
    weights, std = (3.0, -1.5), (0.5, 0.25)
    image = torch.tensor(pixel)[None, :, None, None]
    score = weights[0] * pixel[0] + weights[1] * pixel[1]
    (value,) = uncertainty.odin(Linear(weights), image, torch.zeros(1, 2, 1, 1), torch.tensor(std)).flatten()
    assert float(value) == pytest.approx(odin_by_hand(score, weights, std), abs=1e-4)


def test_odin_nudges_the_image_towards_its_class():
    image, marks, std = torch.full((1, 1, 1, 1), 0.1), torch.zeros(1, 2, 1, 1), torch.ones(1)
    nudged = uncertainty.odin(Linear((40.0,)), image, marks, std)
    still = uncertainty.odin(Linear((40.0,)), image, marks, std * 1e9)
    assert float(nudged) < float(still)


def test_odin_leaves_image_and_weights_without_gradients():
    network, image = Linear((1.0,)), torch.ones(1, 1, 2, 2)
    uncertainty.odin(network, image, torch.zeros(1, 2, 2, 2), torch.ones(1))
    assert network.weights.grad is None
    assert image.grad is None
    assert not image.requires_grad


def tiny(**changes):
    """Random weights, and a last layer that is sure of what it says."""
    torch.manual_seed(0)
    network = registry.build(spec(**changes)).eval()
    network.head.load_state_dict({name: 30 * tensor for name, tensor in network.head.state_dict().items()})
    return network


def images_and_marks(count):
    rng = np.random.default_rng(0)
    marks = np.zeros((count, 3, 64, 64), np.float32)
    marks[:, 1, 20, 30] = 1.0
    return rng.standard_normal((count, 3, 64, 64)).astype(np.float32), marks


def test_mc_dropout_is_the_deviation_over_thinned_networks():
    """By whole decodings of networks with a hook for dropout after every decoder block, and numpy's variance."""
    network = tiny()
    images, marks = (torch.from_numpy(x) for x in images_and_marks(2))
    with torch.inference_mode():
        features = network.features(images)
        result = uncertainty.mc_dropout(network, features, marks, 1.5)
        passes = [_decoded_with_hooks(network, features, marks, seed) for seed in range(uncertainty.PASSES)]
    probabilities = scipy.special.softmax(np.stack(passes) / 1.5, axis=2)
    expected = np.sqrt(probabilities.var(axis=0).sum(axis=1) / (2 / 3))
    assert np.allclose(result.numpy(), expected, atol=1e-4)
    assert result.max() > 0.005


def _decoded_with_hooks(network, features, marks, seed):
    thin = uncertainty.ThinnedNetwork(seed)
    hooks = [unit.register_forward_hook(lambda module, inputs, x: thin(x)) for unit in network.fuse]
    try:
        return network.decode(features, marks).numpy()
    finally:
        for hook in hooks:
            hook.remove()


def test_mc_dropout_runs_what_lies_before_the_first_dropout_once():
    network, counts = tiny(), {}
    images, marks = (torch.from_numpy(x) for x in images_and_marks(1))
    parts = {"encoder": network.encoder, "marks": network.mark_pyramid[0]}
    parts |= {f"block {index}": block for index, block in enumerate(network.blocks)}
    for name, part in parts.items():
        part.register_forward_hook(lambda *_, name=name: counts.update({name: counts.get(name, 0) + 1}))
    with torch.inference_mode():
        features = network.features(images)
        counts.clear()
        uncertainty.mc_dropout(network, features, marks)
    assert counts == {"marks": 1, "block 0": 1, "block 1": 5, "block 2": 5, "block 3": 5}


def test_a_thinned_network_takes_out_whole_channels_and_keeps_the_mean():
    x = torch.ones(3, 1000, 2, 2)
    thinned = uncertainty.ThinnedNetwork(seed=4, rate=0.1)(x)
    kept = thinned[0, :, 0, 0] > 0
    assert torch.equal(thinned, (kept / 0.9)[None, :, None, None].expand_as(x))
    assert 0.87 < float(kept.float().mean()) < 0.93


@pytest.mark.parametrize("changes", [{}, {"options": {"fusion": "early"}}], ids=["late", "early"])
@pytest.mark.parametrize("method", ["mc-dropout", "odin"])
def test_a_tile_has_the_same_uncertainty_in_any_order_and_batch(method, changes):
    predictor = Predictor(spec(**changes), tiny(**changes))
    images, marks = images_and_marks(3)
    features = predictor.features(images)
    together = predictor.uncertainty(method, features, images, marks)
    alone = predictor.uncertainty(method, features[2:], images[2:], marks[2:])
    assert together.shape == (3, 64, 64)
    assert together.dtype == torch.float32
    assert ((together >= 0) & (together <= 1)).all()
    assert together.std() > 1e-3
    assert np.allclose(together[2], alone[0], atol=1e-4)


BECOMES = [1, 1, -1, 3]  # 0 is shown as 1, 2 not at all


def as_shown_by_hand(logits, temperature):
    """Logits (4, …) of classes that are shown as BECOMES says."""
    p = (logits / temperature).softmax(0)
    return torch.stack([p[0] + p[1], p[3]]).log() * temperature


@pytest.mark.parametrize("changes", [{}, {"options": {"fusion": "early"}}], ids=["late", "early"])
@pytest.mark.parametrize("method", ["mc-dropout", "odin"])
def test_merged_classes_are_as_uncertain_as_in_the_model_that_knows_only_what_is_shown(method, changes):
    four = tuple(LandCover(i, f"class {i}", f"#{i:06x}") for i in range(4))
    model = Predictor(spec(classes=four, temperature=1.4, **changes), tiny(classes=four, **changes))
    images, marks = images_and_marks(1)[0], np.zeros((1, 4, 64, 64), np.float32)
    shown = partial(as_shown_by_hand, temperature=1.4)
    found = model.uncertainty(method, model.features(images), images, marks, shown)
    alone = as_shown(model, BECOMES)
    expected = alone.uncertainty(method, alone.features(images), images, marks[:, :2])
    assert np.allclose(found, expected, atol=1e-5)
    unmerged = model.uncertainty(method, model.features(images), images, marks)
    assert min(expected.std(), (unmerged - expected).abs().max()) > 2e-4


def test_a_network_without_places_for_dropout_says_so():
    pytest.importorskip("segmentation_models_pytorch")
    changes = {"architecture": "unet", "encoder": "resnet18"}
    predictor = Predictor(spec(**changes), tiny(**changes))
    images, marks = images_and_marks(1)
    with pytest.raises(UnusableModel, match="dropout"):
        predictor.uncertainty("mc-dropout", predictor.features(images), images, marks)


@pytest.mark.parametrize("method", ["confidnet", "entropy", "nonsense"])
def test_a_measure_that_the_model_does_not_offer_by_the_tile_is_refused(method):
    predictor = Predictor(spec(uncertainty=("entropy",)), Linear((1.0, 1.0, 1.0)))
    images, marks = images_and_marks(1)
    with pytest.raises(UnusableModel, match=method):
        predictor.uncertainty(method, predictor.features(images), images, marks)
