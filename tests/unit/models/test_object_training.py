"""The added clicks of a training step: where they go, and whose loss they count in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from terrafine.models.data import Scene
from terrafine.models.networks.object_network import ObjectNetwork
from terrafine.models.objects.samples import ObjectOptions, objects_of
from terrafine.models.objects.train import ObjectTask
from terrafine.models.objects.view import heat_map
from terrafine.models.training import losses
from terrafine.models.training.loop import Trainer
from terrafine.models.training.options import TrainOptions
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

SIDE = 64
SPEC = ModelSpec(
    "finder", "Finder", "iog", "mobilenet_v2_same", ("grey",),
    (LandCover(0, "other", "#000000"), LandCover(1, "building", "#ff0000")), 0.0,
    Normalisation((0.5,), (0.5,)), tile_px=SIDE, overlap_px=0, task="object",
)  # fmt: skip


class Bright(ObjectNetwork):
    """Takes what is bright for the object, whatever is clicked."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def features(self, image, guidance):
        return (image,)

    def decode(self, features, guidance):
        return [10 * self.scale * features[0][:, 0]]


@pytest.fixture
def trainer(tmp_path):
    truth = np.zeros((96, 96), np.uint8)
    truth[30:60, 30:60] = 1
    scene = Scene("s", np.where(truth, 255, 0).astype(np.uint8)[None], truth)
    options = TrainOptions(
        steps=4, batch=3, crop_px=SIDE, warmup=1, mixed_precision=False, objects=ObjectOptions(added=1)
    )
    return Trainer(ObjectTask(SPEC, Bright(), objects_of([scene], [1], 400), options), tmp_path)


def square(low, high):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[low:high, low:high] = True
    return mask


def batch_of(trainer):
    """Three equal objects, 20 … 44; nothing clicked yet."""
    batch = trainer.batch(0)
    batch.truth[:] = torch.from_numpy(square(20, 44).astype(np.uint8))
    batch.guidance[:] = 0.0
    return batch


def logits_of(*masks):
    return torch.from_numpy(np.stack([np.where(mask, 5.0, -5.0) for mask in masks]).astype(np.float32))


def test_a_click_goes_inside_where_something_is_missing_and_outside_where_there_is_too_much(trainer):
    batch = batch_of(trainer)
    too_little, too_much = square(20, 44), square(20, 44)
    too_little[20:44, 36:44] = False
    too_much[50:61, 50:61] = True
    logits = logits_of(square(20, 44), too_little, too_much)
    maps, wanting = trainer.task._with_clicks((batch.images,), batch.guidance, logits, batch, 1)
    assert wanting.tolist() == [False, True, True]
    nothing = np.zeros((SIDE, SIDE), np.float32)
    np.testing.assert_array_equal(maps[0], [nothing, nothing])
    ((x, y),) = [np.argwhere(maps[1, 0].numpy() > 0.99).mean(0)[::-1] + 0.5]
    assert 36 < x < 44
    assert 20 < y < 44
    assert not maps[1, 1].any()
    np.testing.assert_array_equal(maps[2], [nothing, heat_map(((55.5, 55.5),), SIDE, 10.0)])


def test_the_loss_of_an_object_that_needs_more_clicks_is_the_mean_of_both_looks(trainer, monkeypatch):
    seen = []

    def known(outputs, truth):
        """1 for the first look, 3 for the second, whatever they are."""
        seen.append(outputs)
        return outputs[-1].mean((1, 2)) * 0 + (1.0 if len(seen) == 1 else 3.0)

    monkeypatch.setattr(losses, "object_loss", known)
    wanting = torch.tensor([False, True, True])
    monkeypatch.setattr(trainer.task, "_with_clicks", lambda *_: (batch_of(trainer).guidance, wanting))
    lost = []
    backward = torch.Tensor.backward
    monkeypatch.setattr(torch.Tensor, "backward", lambda self: (lost.append(float(self.detach())), backward(self)))
    trainer.learn(batch_of(trainer), np.random.default_rng(0))
    assert lost == [pytest.approx((1.0 + 2.0 + 2.0) / 3)]


def test_a_batch_is_a_function_of_the_seed_and_the_step(trainer):
    again, other = trainer.batch(2), trainer.batch(3)
    assert torch.equal(trainer.batch(2).images, again.images)
    assert not torch.equal(again.images, other.images)


def test_the_first_click_lies_in_the_object_and_the_corners_around_it(trainer):
    batch = trainer.batch(1)
    for guidance, truth in zip(batch.guidance.numpy(), batch.truth.numpy()):
        row, col = np.unravel_index(guidance[0].argmax(), guidance[0].shape)
        assert truth[row, col] == 1
        rows, cols = np.nonzero(guidance[1] > 0.9)
        inside = np.argwhere(truth == 1)
        assert rows.min() <= inside[:, 0].min() + 1
        assert cols.max() >= inside[:, 1].max() - 1
