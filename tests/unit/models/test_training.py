"""Crops, losses and a training small enough for a test."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from terrafine.models import registry
from terrafine.models.data import Augmentation, CropSampler, Scene, recolour
from terrafine.models.metrics import VOID
from terrafine.models.training import losses
from terrafine.models.training.loop import Trainer, schedule
from terrafine.models.training.maps import MapTask
from terrafine.models.training.options import MarkOptions, TrainOptions
from terrafine.models.training.validation import validate
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

SPEC = ModelSpec(
    "toy", "Toy", "linknet", "mobilenet_v2_same", ("red", "green", "blue"),
    (LandCover(0, "dark", "#000000"), LandCover(1, "bright", "#ffffff")), 1.0,
    Normalisation((0.5,) * 3, (0.5,) * 3), tile_px=64, overlap_px=0,
)  # fmt: skip
OPTIONS = TrainOptions(
    steps=6, batch=2, crop_px=64, warmup=1, checkpoint_every=3, mixed_precision=False,
    marks=MarkOptions(most=4, rounds=2, from_errors_after=0.5),
)  # fmt: skip


def scene(seed=0, size=96):
    rng = np.random.default_rng(seed)
    truth = np.zeros((size, size), np.uint8)
    truth[:, size // 2 :] = 1
    image = (truth * 150 + rng.integers(0, 80, (3, size, size))).astype(np.uint8)
    return Scene(f"scene {seed}", image, truth)


def trainer(folder, **changes):
    torch.manual_seed(0)
    options = dataclasses.replace(OPTIONS, **changes)
    return Trainer(MapTask(SPEC, registry.build(SPEC), [scene()], options), folder)


def test_crops_have_the_asked_size_even_from_a_scene_that_is_smaller():
    sampler = CropSampler([scene(size=40)], 2, 64, Augmentation())
    rng = np.random.default_rng(0)
    for _ in range(20):
        image, truth = sampler.draw(rng)
        assert image.shape == (3, 64, 64)
        assert truth.shape == (64, 64)
        assert 0 <= image.min() <= image.max() <= 1
        assert set(np.unique(truth)) <= {0, 1, VOID}


def test_image_and_truth_of_a_crop_stay_together():
    sampler = CropSampler([scene()], 2, 64, Augmentation(brightness=0, contrast=0, colour=0, gamma=0))
    rng = np.random.default_rng(1)
    for _ in range(20):
        image, truth = sampler.draw(rng)
        assert ((image.mean(0) > 0.45) == truth).mean() > 0.95


def test_half_of_the_crops_look_for_rare_classes():
    truth = np.zeros((2000, 2000), np.uint8)
    truth[1000, 1000] = 1
    sampler = CropSampler([Scene("s", np.zeros((3, 2000, 2000), np.uint8), truth)], 2, 64, Augmentation(scale=1.0))
    rng = np.random.default_rng(0)
    assert 25 <= sum((sampler.draw(rng)[1] == 1).any() for _ in range(200)) <= 80


def test_recolouring_by_nothing_changes_nothing():
    image = np.random.default_rng(0).random((3, 4, 4)).astype(np.float32)
    still = Augmentation(brightness=0, contrast=0, colour=0, gamma=0)
    assert np.allclose(recolour(image, still, np.random.default_rng(0)), image, atol=1e-6)


def test_cross_entropy_leaves_void_out():
    logits = torch.tensor([[[[2.0, -9.0]], [[0.0, 9.0]]]])
    truth = torch.tensor([[[0, VOID]]], dtype=torch.uint8)
    assert losses.cross_entropy(logits, truth) == pytest.approx(float(np.log1p(np.exp(-2.0))))


def test_class_weights_by_hand():
    weights = losses.class_weights(torch.tensor([900, 100, 0]), 0.5)
    assert weights[1] / weights[0] == pytest.approx(3.0)
    assert weights[2] == 0
    assert 0.9 * weights[0] + 0.1 * weights[1] == pytest.approx(1.0)


def test_the_learning_rate_warms_up_and_cools_down():
    assert schedule(0, 10, 100) == pytest.approx(0.1)
    assert schedule(10, 10, 100) == pytest.approx(1.0)
    assert schedule(55, 10, 100) == pytest.approx(0.5)
    assert schedule(100, 10, 100) == pytest.approx(0.0)


def test_an_interrupted_training_ends_as_an_uninterrupted_one(tmp_path):
    whole = trainer(tmp_path / "whole")
    for _ in whole.run():
        pass
    first = trainer(tmp_path / "parts")
    for step, _ in first.run():
        if step == 3:
            break
    second = trainer(tmp_path / "parts")
    assert second.resume()
    assert second.step == 3
    for _ in second.run():
        pass
    for a, b in zip(whole.result.state_dict().values(), second.result.state_dict().values()):
        assert torch.allclose(a.float(), b.float(), atol=1e-5)


def test_an_encoder_rate_of_zero_freezes_weights_and_norms(tmp_path):
    frozen = trainer(tmp_path, encoder_lr=0.0, steps=2)
    before = {name: tensor.clone() for name, tensor in frozen.task.network.state_dict().items()}
    for _ in frozen.run():
        pass
    after = frozen.task.network.state_dict()
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert changed
    assert not any(name.startswith("encoder.") for name in changed)


def test_a_fresh_folder_has_nothing_to_resume(tmp_path):
    assert not trainer(tmp_path).resume()


def test_training_lowers_the_loss_and_marks_are_drawn_and_heard(tmp_path):
    marks = dataclasses.replace(OPTIONS.marks, relabel=0.0)
    changes = {"steps": 30, "warmup": 5, "ema": 0.8, "checkpoint_every": 100, "marks": marks}
    values = [v for _, v in trainer(tmp_path, **changes).run()]
    assert np.mean([v["loss_plain"] for v in values[-5:]]) < 0.6 * values[0]["loss_plain"]
    assert np.mean([v["loss_marked"] for v in values]) < 0.6 * values[0]["loss_plain"]  # from the first step on


def test_validation_reports_the_mean_iou_after_each_number_of_clicks(tmp_path):
    trained = trainer(tmp_path)
    curve = validate(SPEC, trained.result, [scene(size=64)], clicks=3, counted=2)
    assert list(curve) == [0, 1, 2, 3]
    assert all(0 <= value <= 1 for value in curve.values())
