"""A legend that grows: what was known stays as it was, what is new waits for its marks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.models.learning import grow, learn
from terrafine.models.learning.last_layer import weights
from terrafine.models.learning.learn import Example
from terrafine.shared.errors import UnusableModel
from terrafine.shared.learning import LearnOptions
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

SIZE = 32
EARLY = {"options": {"fusion": "early"}}
SIDE = {"architecture": "sideinfnet"}
LIBRARY = {"architecture": "fpn", "encoder": "resnet18"}


def legend(count):
    return tuple(LandCover(i, f"class {i}", f"#{i:06x}") for i in range(count))


def predictor(classes=3, **changes):
    torch.manual_seed(0)
    values = {
        "name": "tiny", "title": "Tiny", "architecture": "linknet", "encoder": "mobilenet_v2_same",
        "bands": ("red", "green", "blue"), "classes": legend(classes), "gsd_m": 0.5,
        "normalisation": Normalisation((0.5,) * 3, (0.5,) * 3), "tile_px": SIZE, "overlap_px": 8,
    }  # fmt: skip
    spec = ModelSpec(**{**values, **changes})
    return Predictor(spec, registry.build(spec))


def image(seed=0):
    return np.random.default_rng(seed).normal(size=(1, 3, SIZE, SIZE)).astype(np.float32)


def marks(classes, *places):
    channels = np.zeros((1, classes, SIZE, SIZE), np.float32)
    for class_id, row, col in places:
        channels[0, class_id, row : row + 4, col : col + 4] = 1.0
    return channels


@pytest.mark.parametrize("changes", [{}, EARLY], ids=["late", "early"])
def test_the_logits_of_old_classes_stay_what_they_were(changes):
    model = predictor(**changes)
    grown = grow.with_classes(model, legend(5), (0, 1, 2, None, None))
    before = model.logits(model.features(image()), marks(3, (0, 2, 2), (2, 20, 20)))
    after = grown.logits(grown.features(image()), marks(5, (0, 2, 2), (2, 20, 20)))
    assert after.shape == (1, 5, SIZE, SIZE)
    assert np.allclose(after[:, :3], before, atol=1e-5)  # convolutions of other shapes round otherwise
    old, new = (weights(m.network.head) for m in (model, grown))
    assert torch.equal(new[:, :3], old)


@pytest.mark.parametrize("changes", [{}, EARLY], ids=["late", "early"])
def test_a_new_class_is_nowhere_before_it_is_marked(changes):
    model = grow.with_classes(predictor(**changes), legend(4), (0, 1, 2, None))
    for places in ((), ((1, 8, 8),)):
        logits = model.logits(model.features(image()), marks(4, *places))[0]
        assert (logits[3] <= logits[:3].max(0) - grow.SHYNESS + 1e-5).all()


def test_a_new_class_is_where_it_is_marked_at_once():
    model = grow.with_classes(predictor(), legend(4), (0, 1, 2, None))
    features = model.features(image())
    change = model.logits(features, marks(4, (3, 12, 12))) - model.logits(features, marks(4))
    assert change[0, :, 13, 13].argmax() == 3


@pytest.mark.parametrize("changes", [{}, EARLY], ids=["late", "early"])
def test_learning_makes_a_new_class_part_of_the_network(changes):
    model = grow.with_classes(predictor(**changes), legend(4), (0, 1, 2, None))
    marked = np.full((SIZE, SIZE), -1, np.int16)
    marked[4:8, 4:8], marked[20:24, 4:8] = 3, 0
    channels = marks(4, (3, 4, 4), (0, 20, 4))[0]
    example = Example(None, image()[0], channels, marked, np.ones((SIZE, SIZE), bool))
    learnt = learn.learn(model, [example], LearnOptions("head", regularisation=0.01))
    assert learnt.right_before <= 0.5 < learnt.right_after


def test_outputs_can_be_put_in_another_order_and_left_out():
    model = predictor()
    other = grow.with_classes(model, legend(2), (2, 0))
    before = model.logits(model.features(image()), marks(3, (0, 8, 8)))
    after = other.logits(other.features(image()), marks(2, (1, 8, 8)))
    assert np.allclose(after, before[:, [2, 0]], atol=1e-5)


def test_in_a_legend_of_new_classes_alone_only_marks_speak():
    model = grow.with_classes(predictor(), legend(2), (None, None))
    features = model.features(image())
    assert not model.logits(features, marks(2)).any()
    logits = model.logits(features, marks(2, (1, 8, 8)))[0]
    assert (logits.argmax(0)[8:12, 8:12] == 1).all()


def test_the_old_predictor_stays_as_it_was_and_shares_its_encoder():
    model = predictor()
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    grown = grow.with_classes(model, legend(4), (0, 1, 2, None))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.network.state_dict().items())
    pairs = zip(model.network.encoder.parameters(), grown.network.encoder.parameters())
    assert all(old.data_ptr() == new.data_ptr() for old, new in pairs)


def test_a_grown_model_is_saved_and_loaded_like_any_other(tmp_path):
    grown = grow.with_classes(predictor(), legend(4), (0, 1, 2, None))
    registry.save(tmp_path / "grown", grown.spec, grown.network)
    loaded = Predictor(*registry.load(tmp_path / "grown"))
    channels = marks(4, (3, 8, 8))
    assert np.array_equal(
        loaded.logits(loaded.features(image()), channels), grown.logits(grown.features(image()), channels)
    )


@pytest.mark.parametrize("sources", [(0, 1), (0, 1, 2, 3), (0, 1, -1)])
def test_sources_that_do_not_fit_are_refused(sources):
    with pytest.raises(ValueError, match="sources"):
        grow.with_classes(predictor(), legend(3 if len(sources) < 4 else 4), sources)


SHARED = [1, 1, -1, 3, 3]  # 0 is shown as 1, 4 as 3, 2 not at all


def merged_by_hand(logits, temperature):
    p = np.exp(logits.astype(np.float64) / temperature)
    return temperature * np.log(np.stack([p[:, 0] + p[:, 1], p[:, 3] + p[:, 4]], 1))


@pytest.mark.parametrize("changes", [{}, EARLY, SIDE, LIBRARY], ids=["late", "early", "side", "library"])
def test_a_model_of_what_is_shown_gives_the_map_that_was_shown(tmp_path, changes):
    if changes == LIBRARY:
        pytest.importorskip("segmentation_models_pytorch")
    model = predictor(classes=5, temperature=1.7, **changes)
    shown = grow.as_shown(model, SHARED)
    expected = merged_by_hand(model.logits(model.features(image()), marks(5)), 1.7)
    registry.save(tmp_path, shown.spec, shown.network)
    for found in (shown, Predictor(*registry.load(tmp_path))):
        assert [entry.name for entry in found.spec.classes] == ["class 1", "class 3"]
        assert np.allclose(found.logits(found.features(image()), marks(2)), expected, atol=1e-4)


def test_a_mark_in_a_merged_class_acts_in_what_is_saved():
    shown = grow.as_shown(predictor(classes=5), SHARED)
    features = shown.features(image())
    change = shown.logits(features, marks(2, (1, 12, 12))) - shown.logits(features, marks(2))
    assert change[0, :, 13, 13].argmax() == 1


@pytest.mark.parametrize("changes", [{}, EARLY, SIDE], ids=["late", "early", "side"])
def test_merged_outputs_can_be_merged_again_and_joined_by_a_new_class(changes):
    model = predictor(classes=5, **changes)
    once = grow.as_shown(model, SHARED)
    more = grow.with_classes(once, legend(3), (0, 1, None))
    before = once.logits(once.features(image()), marks(2))
    assert np.allclose(more.logits(more.features(image()), marks(3))[:, :2], before, atol=1e-5)
    alone = grow.as_shown(more, [0, 0, 2])
    expected = np.log(np.exp(before[:, 0]) + np.exp(before[:, 1]))
    assert np.allclose(alone.logits(alone.features(image()), marks(2))[:, 0], expected, atol=1e-4)


def test_learning_goes_on_with_merged_outputs():
    shown = grow.as_shown(predictor(classes=5), SHARED)
    channels, marked = marks(2, (1, 8, 8))[0], np.full((SIZE, SIZE), -1, np.int16)
    marked[8:12, 8:12] = 1
    tile = Example(shown.features(image())[0], image()[0], channels, marked, np.ones((SIZE, SIZE), bool))
    for scope in ("head", "decoder"):
        options = LearnOptions(scope, steps=5, rate=0.3, regularisation=0.01)
        learnt = learn.learn(shown, [tile], options).predictor
        gain = learnt.logits([tile.features], marks(2)) - shown.logits([tile.features], marks(2))
        assert (gain[0, 1] - gain[0, 0])[8:12, 8:12].mean() > 0


def test_removed_classes_are_not_saved_whatever_the_network():
    model = predictor(classes=3, **EARLY)
    shown = grow.as_shown(model, [0, -1, 2])
    expected = model.logits(model.features(image()), marks(3))[:, [0, 2]]
    assert np.allclose(shown.logits(shown.features(image()), marks(2)), expected, atol=1e-5)


@pytest.mark.parametrize("changes", [EARLY, SIDE], ids=["early", "side"])
def test_learning_the_last_layer_is_the_same_before_and_after_its_outputs_are_merged(changes):
    model, places = predictor(classes=5, **changes), (slice(8, 12), slice(8, 12))
    marked = np.full((SIZE, SIZE), -1, np.int16)
    marked[places] = 3
    everywhere, options = np.ones((SIZE, SIZE), bool), LearnOptions("head", regularisation=0.1)
    apart = Example(None, image()[0], marks(5, (3, 8, 8))[0], marked, everywhere)
    together = replace(apart, channels=marks(2, (1, 8, 8))[0], marked=np.where(marked == 3, 1, marked).astype(np.int16))
    becomes = [1, 1, 3, 3, 3]
    first = grow.as_shown(learn.learn(model, [apart], options, becomes=becomes).predictor, becomes)
    last = learn.learn(grow.as_shown(model, becomes), [together], options).predictor
    found = [each.logits(each.features(image()), marks(2)) for each in (first, last)]
    assert np.abs(found[0] - merged_as(becomes, model)).max() > 0.1
    assert np.allclose(*found, atol=0.02)  # by two roads of single precision


def merged_as(becomes, model):
    shown = grow.as_shown(model, becomes)
    return shown.logits(shown.features(image()), marks(2))


def test_a_network_without_a_last_layer_says_that_it_cannot_leave_classes_out():
    pytest.importorskip("cv2")
    model = predictor(classes=3, architecture="grabcut")
    with pytest.raises(UnusableModel, match="other classes"):
        grow.as_shown(model, [0, 0, 2])
