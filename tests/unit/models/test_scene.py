"""The scene layer: what it computes, what it learns from, and where it goes with its network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.models.learning import scene as learning
from terrafine.models.learning.grow import with_classes
from terrafine.models.learning.learn import learn
from terrafine.models.learning.lesson import Example
from terrafine.models.learning.scene_cells import SceneCells
from terrafine.models.networks import scene
from terrafine.models.networks.scene import SceneLayer, colours
from terrafine.shared.learning import LearnOptions
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

SIZE, CLASSES = 64, 3


def predictor():
    classes = tuple(LandCover(i, f"class {i}", f"#{i:06x}") for i in range(CLASSES))
    spec = ModelSpec(
        "tiny", "Tiny", "linknet", "mobilenet_v2_same", ("red", "green", "blue"), classes, 0.5,
        Normalisation((0.5,) * 3, (0.5,) * 3), tile_px=SIZE, overlap_px=8,
    )  # fmt: skip
    torch.manual_seed(0)
    return Predictor(spec, registry.build(spec))


def example(model, *marks):
    """A tile whose left half is dark and whose right half is bright, with marks (class, row, column)."""
    image = np.random.default_rng(0).normal(-1, 0.2, (3, SIZE, SIZE)).astype(np.float32)
    image[:, :, SIZE // 2 :] += 2.0
    channels, marked = np.zeros((CLASSES, SIZE, SIZE), np.float32), np.full((SIZE, SIZE), -1, np.int16)
    for class_id, row, col in marks:
        channels[class_id, row, col], marked[row, col] = 1.0, class_id
    return Example(model.features(image[None])[0], image, channels, marked, np.ones((SIZE, SIZE), bool))


def bare(model, tile):
    return model.logits(model.features(tile.image[None]), np.zeros_like(tile.channels)[None])[0]


MARKS = ((1, 30, 10), (2, 30, 50))


def test_colours_are_means_of_a_cell_and_of_the_cells_around_it_that_are_in_the_image():
    image = torch.rand(1, 2, 16, 24)
    found = colours(image)
    cell = lambda row, col: image[0, :, 4 * row : 4 * row + 4, 4 * col : 4 * col + 4].mean((1, 2))  # noqa: E731
    for row, col in ((0, 0), (2, 3), (3, 5)):
        parts = [
            torch.stack([cell(r, c) for r in range(4) for c in range(6) if max(abs(r - row), abs(c - col)) <= radius])
            for radius in (0, *scene.RADII)
        ]
        assert torch.allclose(found[0, :, row, col], torch.cat([part.mean(0) for part in parts]), atol=1e-6)


def test_the_layer_is_what_its_formula_says():
    layer, seen = SceneLayer(2, CLASSES), torch.randn(1, 2, 3, 4)
    layer.standardise(torch.randn(50, 2) * 3 + 1)
    with torch.no_grad():
        layer.weight.normal_()
        layer.bias.normal_()
        found = layer(seen)
    at = {name: tensor.numpy() for name, tensor in layer.state_dict().items()}
    c = (seen[0, :, 1, 2].numpy() - at["mean"]) / at["scale"]
    waves = [np.sqrt(2) * np.cos(f @ c + p) for f, p in zip(at["frequencies"], at["phases"])]
    assert np.allclose(found[0, :, 1, 2], at["weight"] @ waves + at["bias"], atol=1e-4)


def test_waves_make_a_gaussian_kernel():
    layer = SceneLayer(2, CLASSES)
    pairs = torch.tensor([[0.0, 0.0], [0.5, -0.5], [1.0, 2.0]])
    waves = layer.waves(pairs.T[None, :, :, None])[0, :, :, 0]
    exact = torch.exp(-torch.cdist(pairs, pairs).square() * scene.FREQUENCY**2 / 2)
    assert torch.allclose(waves.T @ waves / scene.WAVES, exact, atol=0.2)


def cells(bare, marked):
    p = np.log(np.array(bare))
    return SceneCells(torch.zeros(len(p), 1), p, p, np.array(marked), np.zeros(len(p), int))


def test_a_cell_teaches_its_mark_or_what_the_map_is_sure_of():
    sure = [[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8], [0.99, 0.01]]
    found = learning.taught(cells(sure, [-1, -1, -1, -1, -1, -1, 1]), np.random.default_rng(0))
    assert found.tolist() == [0, -1, -1, -1, 1, -1, 1]


def test_a_cell_whose_class_the_marks_took_away_teaches_nothing():
    sure = cells([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.1, 0.9]], [-1, -1, -1, -1])
    marks = np.log([[0.2, 0.8], [0.3, 0.7], [0.6, 0.4], [0.1, 0.9]])
    found = learning.taught(replace(sure, full=marks), np.random.default_rng(0))
    assert found.tolist() == [-1, 0, -1, 1]


def test_classes_weigh_as_their_shares_to_a_power_whatever_their_cells():
    shares = np.array([1 / 16, 0.1, 1.0])
    found = learning.even(np.array([1.0, 1.0, 2.0, 5.0]), np.array([0, 0, 0, 2]), shares)
    assert found.tolist() == pytest.approx([1 / 12, 1 / 12, 1 / 6, 2 / 3])  # the powers are 1 / 2 and 1


@pytest.mark.parametrize(("sure", "expected"), [([0.5, 0.6], 1.0), ([0.7, 0.8], 0.75), ([0.99, 0.95], 0.5)])
def test_the_surer_the_map_the_less_is_said_but_never_less_than_half(sure, expected):
    found = learning.strength(cells([[p, 1 - p] for p in sure], [-1, 0]))
    assert found == pytest.approx(expected)


def test_what_is_learnt_is_added_to_the_logits_and_nothing_else_changes():
    model = predictor()
    tile = example(model, *MARKS)
    before = bare(model, tile)
    learnt = learn(model, [tile], LearnOptions("head")).predictor
    layer = learnt.network.scene
    said = torch.nn.functional.interpolate(layer(tile.features.tensors[-1]), (SIZE, SIZE), mode="bilinear")
    assert np.allclose(bare(learnt, tile), before + said[0].detach().numpy(), atol=1e-4)
    assert model.network.scene is None
    assert np.array_equal(bare(model, tile), before)


def test_what_a_mark_says_holds_wherever_the_colours_are_the_same():
    model = predictor()
    torch.nn.init.zeros_(model.network.head.weight)
    tile = example(model, *MARKS)
    shown = bare(learn(model, [tile], LearnOptions("head", regularisation=0.0)).predictor, tile).argmax(0)
    assert (shown[:, : SIZE // 2 - 8] == 1).mean() > 0.9
    assert (shown[:, SIZE // 2 + 8 :] == 2).mean() > 0.9


def test_merged_classes_are_told_from_the_others_not_from_each_other():
    model = predictor()
    learnt = learn(model, [example(model, *MARKS)], LearnOptions("head"), becomes=[1, 1, 2]).predictor
    weight = learnt.network.scene.weight
    assert torch.equal(weight[0], weight[1])
    assert not torch.equal(weight[0], weight[2])


def test_of_a_removed_class_nothing_is_learnt():
    model = predictor()
    learnt = learn(model, [example(model, *MARKS)], LearnOptions("head"), becomes=[-1, 1, 2]).predictor
    assert not learnt.network.scene.weight[0].any()


def test_learning_again_goes_on_from_what_was_learnt():
    model = predictor()
    first = learn(model, [example(model, *MARKS)], LearnOptions("head")).predictor
    kept = {name: tensor.clone() for name, tensor in first.network.scene.state_dict().items()}
    second = learn(first, [example(first, (1, 5, 5))], LearnOptions("head")).predictor.network.scene
    assert all(torch.equal(tensor, kept[name]) for name, tensor in first.network.scene.state_dict().items())
    assert torch.equal(second.mean, kept["mean"])
    assert not torch.equal(second.weight, kept["weight"])


def test_a_scene_layer_is_saved_with_its_model(tmp_path):
    model = predictor()
    tile = example(model, *MARKS)
    learnt = learn(model, [tile], LearnOptions("head")).predictor
    registry.save(tmp_path, learnt.spec, learnt.network)
    loaded = Predictor(*registry.load(tmp_path))
    assert np.allclose(bare(loaded, tile), bare(learnt, tile), atol=1e-4)


def test_a_new_class_leaves_what_was_learnt_of_the_others():
    model = predictor()
    tile = example(model, *MARKS)
    learnt = learn(model, [tile], LearnOptions("head")).predictor
    grown = with_classes(learnt, (*learnt.spec.classes, LandCover(CLASSES, "new", "#ffffff")), [0, 1, 2, None])
    channels = np.zeros((1, CLASSES + 1, SIZE, SIZE), np.float32)
    logits = grown.logits(grown.features(tile.image[None]), channels)[0]
    assert np.allclose(logits[:CLASSES], bare(learnt, tile), atol=1e-5)
    assert not (logits.argmax(0) == CLASSES).any()
