from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from terrafine.models import registry
from terrafine.models.metrics import VOID
from terrafine.models.networks.iog import FINE_BLOCKS, IOG, Bottleneck, PyramidPooling
from terrafine.models.networks.mobilenet import MobileNetV2
from terrafine.models.objects import build
from terrafine.models.training import losses
from terrafine.shared.errors import UnusableModel
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

SPEC = ModelSpec(
    "finder", "Finder", "iog", "mobilenet_v2_same", ("red", "green", "blue"),
    (LandCover(0, "other", "#000000"), LandCover(1, "building", "#ff0000")), 0.0,
    Normalisation((0.5,) * 3, (0.5,) * 3), tile_px=64, overlap_px=0, task="object",
)  # fmt: skip


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    return build.build(SPEC).eval()


def test_there_are_four_side_outputs_and_the_answer_all_as_large_as_the_crop(network):
    outputs = network.decode(network.features(noise(2, 3, 64, 64), noise(2, 2, 64, 64)), noise(2, 2, 64, 64))
    assert [tuple(output.shape) for output in outputs] == [(2, 64, 64)] * 5


def test_the_features_that_are_kept_lie_at_strides_4_8_16_and_16(network):
    features = network.features(noise(1, 3, 64, 64), noise(1, 2, 64, 64))
    assert [tuple(x.shape) for x in features] == [(1, 32, 16, 16), (1, 48, 8, 8), (1, 64, 4, 4), (1, 96, 4, 4)]


def test_finenet_has_more_blocks_the_deeper_the_level(network):
    assert FINE_BLOCKS == (0, 1, 2, 3)
    counts = [sum(isinstance(block, Bottleneck) for block in level) for level in network.fine.levels]
    assert counts == [0, 1, 2, 3]


@torch.no_grad()
def test_a_further_click_runs_the_encoder_no_more_and_changes_the_answer(network):
    runs = []
    listener = network.encoder.register_forward_hook(lambda *_: runs.append(1))
    guidance = noise(1, 2, 64, 64)
    features = network.features(noise(1, 3, 64, 64), guidance)
    first = network.decode(features, guidance)[-1]
    second = network.decode(features, guidance.flip(3))[-1]
    listener.remove()
    assert len(runs) == 1
    assert not torch.equal(first, second)


@torch.no_grad()
def test_a_dilated_encoder_sees_the_same_at_each_second_pixel():
    torch.manual_seed(3)
    plain, dilated = MobileNetV2(3).eval(), MobileNetV2(3, output_stride=16).eval()
    dilated.load_state_dict(plain.state_dict())
    image = noise(1, 3, 128, 128)
    coarse, fine = plain(image)[-1], dilated(image)[-1]
    assert fine.shape[-1] == 2 * coarse.shape[-1]
    torch.testing.assert_close(fine[..., 1::2, 1::2], coarse, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_pyramid_pooling_is_told_the_mean_of_every_bin():
    pooling = PyramidPooling(4, 8).eval()
    seen = []
    for unit in pooling.pooled:
        unit.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = noise(1, 4, 12, 12)
    pooling(x)
    for bins, means in zip((1, 2, 3, 6), seen):
        side = 12 // bins
        slow = [[x[0, :, r * side : (r + 1) * side, c * side : (c + 1) * side].mean((1, 2)) for c in range(bins)]
                for r in range(bins)]  # fmt: skip
        torch.testing.assert_close(means[0], torch.stack([torch.stack(row, -1) for row in slow], -2))


def test_any_encoder_of_the_library_will_do():
    pytest.importorskip("segmentation_models_pytorch")
    network = build.build(dataclasses.replace(SPEC, encoder="resnet18"))
    assert isinstance(network, IOG)
    features = network.eval().features(noise(1, 3, 64, 64), noise(1, 2, 64, 64))
    assert [x.shape[-1] for x in features] == [16, 8, 4, 4]


def test_clicks_as_channels_have_no_features_but_the_image():
    network = build.build(dataclasses.replace(SPEC, architecture="click-channels", options={"box": False})).eval()
    image = noise(1, 3, 64, 64)
    (kept,) = network.features(image, noise(1, 2, 64, 64))
    assert kept is image
    assert [tuple(output.shape) for output in network.decode((kept,), noise(1, 2, 64, 64))] == [(1, 64, 64)]


def test_the_loss_counts_every_output_once_and_leaves_void_out():
    rng = np.random.default_rng(0)
    outputs = [rng.normal(size=(2, 4, 5)) for _ in range(5)]
    truth = rng.integers(0, 2, (2, 4, 5)).astype(np.uint8)
    truth[0, :2] = VOID
    slow = []
    for index in range(2):
        terms = []
        for output in outputs:
            p = 1 / (1 + np.exp(-output[index]))
            cross = np.where(truth[index] == 1, -np.log(p), -np.log(1 - p))
            terms.append(cross[truth[index] != VOID].mean())
        slow.append(sum(terms))
    found = losses.object_loss([torch.from_numpy(output) for output in outputs], torch.from_numpy(truth))
    np.testing.assert_allclose(found.numpy(), slow, rtol=1e-5)


def test_a_model_that_finds_objects_is_no_map_and_the_other_way_round(tmp_path, network):
    with pytest.raises(UnusableModel, match="finds single objects"):
        registry.build(SPEC)
    with pytest.raises(UnusableModel, match="does not find single objects"):
        build.build(dataclasses.replace(SPEC, task="map"))
    registry.save(tmp_path, SPEC, network)
    spec, loaded = build.load(tmp_path)
    assert spec == SPEC
    torch.testing.assert_close(dict(loaded.state_dict()), dict(network.state_dict()))
