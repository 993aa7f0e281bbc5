"""The forest against scikit-learn's own, its features against slow loops, and its life as a model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from terrafine.models import registry
from terrafine.models.certainty.uncertainty import entropy
from terrafine.models.infer import Predictor
from terrafine.models.learning.grow import with_classes
from terrafine.models.learning.learn import learn
from terrafine.models.learning.lesson import Example
from terrafine.models.networks.forest import DEPTH, FLOOR, MOST_PIXELS, TREES, PixelForest
from terrafine.models.networks.pixel_features import RADII, count, pairs, pixel_features
from terrafine.shared.errors import UnusableModel
from terrafine.shared.learning import LearnOptions
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation


def spec(classes=3, **changes):
    legend = tuple(LandCover(i, f"class {i}", f"#{i:06x}") for i in range(classes))
    values = {
        "name": "start", "title": "Start", "architecture": "forest", "encoder": "pixels", "bands": ("red", "green"),
        "classes": legend, "gsd_m": 0.5, "normalisation": Normalisation((0.0,) * 2, (1.0,) * 2), "tile_px": 32,
        "overlap_px": 8, "uncertainty": ("entropy", "margin"),
    }  # fmt: skip
    return ModelSpec(**{**values, **changes})


def sample(seed, pixels=200, features=5, classes=3):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((pixels, features)).astype(np.float32)
    return values, (values[:, :classes] + rng.normal(0, 0.5, (pixels, classes))).argmax(1)


@settings(max_examples=8)
@given(st.integers(0, 1000), st.integers(1, 4))
def test_its_probabilities_are_scikit_learns(seed, classes):
    ensemble = pytest.importorskip("sklearn.ensemble")
    values, truth = sample(seed, classes=classes)
    reference = ensemble.RandomForestClassifier(TREES, max_depth=DEPTH, class_weight="balanced", random_state=seed)
    reference.fit(values, truth)
    forest = PixelForest(classes).fitted(values, truth, seed)
    elsewhere = np.concatenate([sample(seed + 1, 500)[0], values])  # also where a value is a threshold's neighbour
    expected = np.zeros((len(elsewhere), classes))
    expected[:, reference.classes_] = reference.predict_proba(elsewhere)
    assert np.allclose(forest.probabilities(elsewhere.T), expected.T, atol=1e-6)


def test_a_value_on_a_threshold_goes_left_and_the_next_one_right():
    forest = PixelForest(2).fitted(np.array([[1.0], [2.0]] * 8, np.float32), np.array([0, 1] * 8))
    on = forest.threshold[torch.isfinite(forest.threshold)][0].item()
    next_one = np.nextafter(np.float32(on), np.float32(9))
    left, right = forest.probabilities(np.array([[on, next_one]], np.float32)).T
    assert left[0] > 0.9
    assert right[1] > 0.9


def test_a_class_that_nobody_marked_is_nowhere():
    values, truth = sample(0)
    forest = PixelForest(6).fitted(values, truth * 2)
    shares = forest.probabilities(values.T)
    assert not shares[[1, 3, 5]].any()
    assert np.allclose(shares.sum(0), 1.0, atol=1e-6)


def test_a_large_polygon_does_not_slow_it_down():
    rng = np.random.default_rng(0)
    truth = np.r_[np.zeros(20 * MOST_PIXELS, int), np.ones(30, int)]
    values = (truth[:, None] + rng.normal(0, 0.3, (len(truth), 2))).astype(np.float32)
    forest = PixelForest(2).fitted(values, truth)
    assert len(forest.left) < 3 * TREES * MOST_PIXELS
    assert (forest.probabilities(values[-30:].T).argmax(0) == 1).mean() > 0.9


def test_before_any_mark_all_classes_are_equally_likely():
    forest = PixelForest(4)
    logits = forest(torch.rand(2, 3, 32, 32), torch.zeros(2, 4, 32, 32))
    assert logits.shape == (2, 4, 32, 32)
    assert not logits.any()


def test_decoding_gives_logarithms_of_the_probabilities_of_each_pixel():
    forest, image = grown(), torch.rand(2, 2, 32, 32)
    (features,) = forest.features(image)
    logits = forest.decode((features,), torch.zeros(2, 3, 32, 32))
    for tile in range(2):
        pixel = features[tile, :, 5, 9].float().numpy()[:, None]
        expected = np.log(np.maximum(forest.probabilities(pixel)[:, 0], FLOOR))
        assert np.allclose(logits[tile, :, 5, 9], expected, atol=1e-6)


def grown(classes=3, bands=2):
    rng = np.random.default_rng(1)
    values = rng.random((300, count(bands))).astype(np.float32)
    return PixelForest(classes).fitted(values, (values[:, 0] * classes).astype(int))


def test_another_legend_keeps_the_classes_that_go_on():
    forest = grown()
    other = forest.with_classes([2, None, 0, 1])
    values = np.random.default_rng(2).random((count(2), 50)).astype(np.float32)
    old, new = forest.probabilities(values), other.probabilities(values)
    assert np.array_equal(new[[2, 3, 0]], old)
    assert not new[1].any()


def test_a_model_folder_gives_back_the_forest(tmp_path):
    forest = grown()
    registry.save(tmp_path, spec(), forest)
    loaded_spec, loaded = registry.load(tmp_path)
    image, marks = torch.rand(1, 2, 32, 32), torch.zeros(1, 3, 32, 32)
    assert loaded_spec == spec()
    assert torch.equal(loaded(image, marks), forest(image, marks))


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("left", lambda tensor: tensor + 10**6),
        ("roots", lambda tensor: tensor - 1),
        ("feature", lambda tensor: tensor - 100),
        ("feature", lambda tensor: tensor.float()),
        ("share", lambda tensor: tensor[1:]),
        ("share", lambda tensor: tensor[:, :2]),
        ("threshold", lambda tensor: tensor[1:]),
        ("depth", lambda tensor: tensor + 10**12),
    ],
)
def test_a_broken_forest_is_refused(name, harm, tmp_path):
    forest = grown()
    forest.set_trees({**dict(forest.named_buffers()), name: harm(getattr(forest, name))})
    registry.save(tmp_path, spec(), forest)
    with pytest.raises(UnusableModel, match="do not fit"):
        registry.load(tmp_path)


def test_a_predictor_runs_it_and_measures_its_entropy():
    predictor = Predictor(spec(), grown())
    images = np.random.default_rng(0).random((2, 2, 32, 32)).astype(np.float32)
    logits = predictor.logits(predictor.features(images), np.zeros((2, 3, 32, 32), np.float32))
    assert logits.shape == (2, 3, 32, 32)
    with pytest.raises(UnusableModel, match="odin"):
        predictor.uncertainty("odin", predictor.features(images), images, np.zeros((2, 3, 32, 32), np.float32))


# ---- the features ---------------------------------------------------------------------------------------------------


def test_features_agree_with_a_slow_loop():
    image = torch.rand(1, 3, 11, 9, generator=torch.Generator().manual_seed(0))
    features, bands = pixel_features(image)[0].numpy(), image[0].numpy().astype(np.float64)
    assert len(features) == count(3)
    for row in range(11):
        for col in range(9):
            expected = list(bands[:, row, col])
            for radius in RADII:
                part = bands[:, max(0, row - radius) : row + radius + 1, max(0, col - radius) : col + radius + 1]
                expected += list(part.mean((1, 2))) + list(part.std((1, 2)))
            r, g, b = bands[:, row, col]
            expected += [(r - g) / (r + g + 1e-3), (r - b) / (r + b + 1e-3), (g - b) / (g + b + 1e-3)]
            assert np.allclose(features[:, row, col], expected, atol=1e-3)


def test_all_pairs_of_up_to_five_bands_are_compared_and_of_more_a_number_that_grows_with_them():
    assert [len(pairs(bands)) for bands in (1, 2, 3, 4, 5, 8, 13)] == [0, 1, 3, 6, 10, 16, 26]
    assert pixel_features(torch.rand(1, 8, 16, 16)).shape[1] == count(8) == 8 * 5 + 16


def test_without_light_the_features_are_finite():
    assert torch.isfinite(pixel_features(torch.zeros(1, 4, 16, 16))).all()


# ---- learning, and legends ------------------------------------------------------------------------------------------


def example(predictor, seed):
    """A tile whose left half is dark, with a mark on each side."""
    image = np.random.default_rng(seed).uniform(0.18, 0.22, (2, 32, 32)).astype(np.float32)
    image[:, :, 16:] += 0.6
    marked = np.full((32, 32), -1, np.int16)
    marked[5, 3:6], marked[20, 24:27] = 0, 2
    marked[0, 0] = 1  # without data
    valid = np.ones((32, 32), bool)
    valid[0, 0] = False
    return Example(None, image, np.zeros((3, 32, 32), np.float32), marked, valid)


def test_learning_grows_the_forest_from_the_marked_pixels_that_have_data():
    predictor = Predictor(spec(), PixelForest(3))
    lesson = example(predictor, 0)
    learnt = learn(predictor, [lesson], LearnOptions("head"))
    marks = np.zeros((1, 3, 32, 32), np.float32)
    classes = learnt.predictor.logits(learnt.predictor.features(lesson.image[None]), marks)[0].argmax(0)
    assert (classes[:, :9] == 0).all()
    assert (classes[:, -9:] == 2).all()
    assert not (classes == 1).any()
    assert (learnt.right_before, learnt.right_after) == (0.0, 1.0)
    assert not predictor.logits(predictor.features(lesson.image[None]), marks).any()


def test_a_forest_takes_another_legend_and_learns_it():
    predictor = Predictor(spec(), PixelForest(3))
    legend = spec(classes=4).classes
    lesson = example(predictor, 0)
    learnt = learn(predictor, [lesson], LearnOptions()).predictor
    other, marks = with_classes(learnt, legend, [2, 0, 1, None]), np.zeros((1, 4, 32, 32), np.float32)
    features = other.features(lesson.image[None])
    logits = other.logits(features, marks)[0]
    assert np.array_equal(logits[[1, 2, 0]], learnt.logits(features, marks[:, :3])[0])
    assert np.allclose(logits[3], np.log(FLOOR))
    assert other.spec.classes == legend


@pytest.mark.parametrize("name", ["pixels", "pixels-nir"])
def test_the_zoo_offers_a_start_from_nothing(name):
    described, forest = registry.load(registry.find(name))
    assert described.gsd_m == 0
    assert len(forest.roots) == 0
    logits = forest(torch.rand(1, len(described.bands), 32, 32), torch.zeros(1, 4, 32, 32))
    assert np.allclose(entropy(logits[0]), 1.0)
