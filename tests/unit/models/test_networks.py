"""Shapes, laziness and equivalences of the networks; the affinity against a slow loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from terrafine.models import affinity, registry
from terrafine.models.infer import Predictor
from terrafine.models.networks import pretrained
from terrafine.models.networks.mobilenet import ConvNorm, MobileNetV2
from terrafine.shared.errors import NotFound, UnusableModel
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation


def spec(**changes):
    classes = tuple(LandCover(i, f"class {i}", f"#{i:06x}") for i in range(4))
    values = {
        "name": "tiny", "title": "Tiny", "architecture": "linknet", "encoder": "mobilenet_v2_same",
        "bands": ("red", "green", "blue"), "classes": classes, "gsd_m": 0.5,
        "normalisation": Normalisation((0.5,) * 3, (0.5,) * 3), "tile_px": 64, "overlap_px": 16,
    }  # fmt: skip
    return ModelSpec(**{**values, **changes})


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def marks_at(*cells, size=64, classes=4):
    marks = torch.zeros(1, classes, size, size)
    for class_id, row, col in cells:
        marks[0, class_id, row, col] = 1.0
    return marks


def test_the_encoder_has_five_maps_at_strides_2_to_32():
    encoder = MobileNetV2(4)
    maps = encoder(torch.zeros(1, 4, 64, 96))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (c, 64 // s, 96 // s) for c, s in zip(encoder.channels, (2, 4, 8, 16, 32))
    ]


def test_unfolding_the_norms_keeps_the_function():
    encoder = MobileNetV2(3)
    for unit in (m for m in encoder.modules() if isinstance(m, ConvNorm)):
        norm = unit[1]
        norm.running_var.fill_(1.0 - norm.eps)
        norm.bias.data.normal_(0, 0.3)
    batches = [torch.randn(2, 3, 64, 64) for _ in range(2)]
    encoder.eval()
    before = encoder(batches[0])
    pretrained.unfold(encoder, batches)
    for old, new in zip(before, encoder(batches[0])):
        assert torch.allclose(old, new, atol=1e-4)
    assert not torch.allclose(encoder.stages[0][0][1].running_mean, torch.zeros(32))


def test_folded_weights_are_copied_and_extra_bands_start_at_zero(tmp_path):
    source, archive = MobileNetV2(3), {}
    for index, unit in enumerate(m for m in source.modules() if isinstance(m, ConvNorm)):
        archive[f"{index}.weight"] = unit[0].weight.detach().numpy()
        archive[f"{index}.bias"] = np.full(unit[0].out_channels, 0.25, np.float32)
    np.savez(tmp_path / "w.npz", **archive)
    encoder = MobileNetV2(5)
    pretrained.load_folded_mobilenet(encoder, tmp_path / "w.npz")
    stem = encoder.stages[0][0]
    assert torch.equal(stem[0].weight[:, :3], source.stages[0][0][0].weight)
    assert not stem[0].weight[:, 3:].any()
    assert (stem[1].bias == 0.25).all()


@pytest.mark.parametrize("farthest", [math.inf, 4.0])
def test_affinity_agrees_with_a_slow_loop(farthest):
    module = affinity.MarkAffinity(farthest)
    unlike = (0.5, 1.0, 4.0)
    module.unlike.data = torch.tensor(unlike).log()
    embedding, colours = torch.nn.functional.normalize(torch.randn(1, 5, 6, 7), dim=1), torch.randn(1, 2, 6, 7)
    marks = marks_at((0, 1, 2), (2, 4, 5), (2, 0, 0), size=7)[:, :3, :6]
    result = module(embedding, colours, marks)[0].detach().numpy()
    e, c, cells = embedding[0].numpy(), colours[0].numpy(), [(0, 1, 2), (2, 0, 0), (2, 4, 5)]
    for head, (sharpness, reach, nothing) in enumerate(affinity.START):
        for row in range(6):
            for col in range(7):
                weights = []
                for _, r, s in cells:
                    far = math.hypot(row - r, col - s)
                    cosine = float(e[:, row, col] @ e[:, r, s])
                    apart = float(((c[:, row, col] - c[:, r, s]) ** 2).sum())
                    believed = max(0.0, 1 - (far / farthest) ** 2)
                    weights.append(believed * math.exp(sharpness * cosine - unlike[head] * apart - far / reach))
                shares = [
                    math.sqrt(sum(w * w for w, cell in zip(weights, cells) if cell[0] == class_id))
                    for class_id in range(3)
                ]
                total = math.exp(nothing) + sum(shares)
                for class_id in range(3):
                    expected = shares[class_id] / total
                    assert result[head * 3 + class_id, row, col] == pytest.approx(expected, abs=1e-5)


def test_affinity_is_zero_without_marks():
    assert not affinity.MarkAffinity()(torch.randn(2, 5, 4, 4), torch.randn(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)).any()


def test_affinity_bounds_the_cells_it_attends_to():
    cells = torch.ones(2, 64, 64).nonzero()
    assert len(affinity._thinned(cells)) == affinity.MAX_CELLS
    assert torch.equal(affinity._thinned(cells[:9]), cells[:9])


@pytest.mark.parametrize("farthest", [math.inf, 5.0])
def test_affinity_does_not_depend_on_how_pixels_are_cut_into_blocks(farthest, monkeypatch):
    embedding = torch.nn.functional.normalize(torch.randn(2, 5, 12, 12), dim=1)
    marks = torch.cat([marks_at((1, 4, 4), (0, 11, 2), size=12), marks_at((3, 0, 9), size=12)])
    colours = torch.rand(2, 3, 12, 12)
    whole = affinity.MarkAffinity(farthest)(embedding, colours, marks)
    for name, value in {"BLOCK": 5, "PART": 2, "FEW_CELLS": 1}.items():
        monkeypatch.setattr(affinity, name, value)
        assert torch.allclose(affinity.MarkAffinity(farthest)(embedding, colours, marks), whole, rtol=0, atol=1e-6)


def test_affinity_ends_at_its_reach_and_not_before():
    uniform = torch.nn.functional.normalize(torch.ones(1, 5, 9, 9), dim=1)
    shares = affinity.MarkAffinity(farthest=3.0)(uniform, torch.ones(1, 3, 9, 9), marks_at((1, 4, 4), size=9))
    row, col = torch.meshgrid(torch.arange(9), torch.arange(9), indexing="ij")
    inside = torch.hypot(row - 4.0, col - 4.0) < 3.0
    assert (shares.unflatten(1, (-1, 4))[0, :, 1, inside] > 1e-3).all()
    assert (shares[0, :, ~inside] < 1e-9).all()


def test_a_mark_is_believed_less_by_the_unlike_than_by_its_like():
    uniform = torch.nn.functional.normalize(torch.ones(1, 5, 9, 9), dim=1)
    road = torch.zeros(1, 3, 9, 9)
    road[..., 4, :] = 0.5  # one row of another colour, with the mark on it
    shares = affinity.MarkAffinity()(uniform, road, marks_at((1, 4, 4), size=9)).unflatten(1, (-1, 4))[0, :, 1]
    along, across = shares[:, 4, 8], shares[:, 8, 4]
    assert (along > 10 * across).all()


def test_marks_far_away_change_no_bit_of_the_affinity_however_many(monkeypatch):
    monkeypatch.setattr(affinity, "BLOCK", 4)
    embedding, colours = torch.nn.functional.normalize(torch.randn(1, 5, 32, 64), dim=1), torch.rand(1, 3, 32, 64)
    near, both = torch.zeros(1, 2, 32, 64), torch.zeros(1, 2, 32, 64)
    near[0, 0, 1, 1] = both[0, 0, 1, 1] = 1.0
    both[..., 30:] = 1.0
    module = affinity.MarkAffinity(farthest=5.0)
    assert both[0].count_nonzero() > affinity.MAX_CELLS
    assert torch.equal(module(embedding, colours, near)[..., :20], module(embedding, colours, both)[..., :20])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"options": {"reach_px": 48}},
        {"encoder": "resnet18"},
        {"encoder": "resnet18", "options": {"fusion": "early"}},
        {"options": {"fusion": "early"}},
        {"architecture": "unet", "encoder": "mobilenet_v2"},
        {"architecture": "fpn", "encoder": "resnet18"},
        {"architecture": "deeplabv3plus", "encoder": "resnet18"},
        {"architecture": "segformer", "encoder": "resnet18"},
    ],
    ids=str,
)
def test_every_architecture_maps_image_and_marks_to_logits_of_the_same_size(changes):
    if changes:
        pytest.importorskip("segmentation_models_pytorch")
    network = registry.build(spec(**changes)).eval()
    assert network(torch.zeros(1, 3, 64, 64), marks_at((1, 3, 3))).shape == (1, 4, 64, 64)


def test_late_features_do_not_depend_on_marks_but_logits_do():
    network = registry.build(spec()).eval()
    features = network.features(torch.randn(1, 3, 64, 64))
    plain, marked = network.decode(features, marks_at()), network.decode(features, marks_at((2, 30, 30)))
    assert not torch.allclose(plain, marked)


def test_a_mark_raises_its_own_class_where_it_stands():
    network = registry.build(spec()).eval()
    features = network.features(torch.randn(1, 3, 64, 64))
    change = network.decode(features, marks_at((2, 30, 30))) - network.decode(features, marks_at())
    assert change[0, :, 30, 30].argmax() == 2


@pytest.mark.parametrize(
    "changes", [{"architecture": "nonsense"}, {"encoder": "nonsense"}, {"architecture": "unet", "encoder": "nonsense"}]
)
def test_names_that_nobody_knows_are_refused(changes):
    with pytest.raises(UnusableModel):
        registry.build(spec(**changes))


def test_a_model_folder_gives_back_the_model(tmp_path):
    network = registry.build(spec()).eval()
    registry.save(tmp_path / "tiny", spec(), network)
    loaded_spec, loaded = registry.load(tmp_path / "tiny")
    image, marks = torch.randn(1, 3, 64, 64), marks_at((0, 5, 5))
    assert loaded_spec == spec()
    assert torch.equal(loaded(image, marks), network(image, marks))


def test_models_are_found_by_name_in_extra_folders(tmp_path):
    registry.save(tmp_path / "some folder", spec(), registry.build(spec()))
    assert registry.find("tiny", [tmp_path]) == tmp_path / "some folder"
    with pytest.raises(NotFound, match="nothing-like-it"):
        registry.find("nothing-like-it", [tmp_path])


def test_a_broken_model_does_not_hide_the_others(tmp_path):
    registry.save(tmp_path / "good", spec(), registry.build(spec()))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / registry.DESCRIPTION).write_bytes('{"name": "é"'.encode("latin-1"))
    assert registry.find("tiny", [tmp_path]) == tmp_path / "good"


def test_options_go_to_the_builder_and_unknown_ones_are_refused():
    pytest.importorskip("segmentation_models_pytorch")
    unet = {"architecture": "unet", "encoder": "resnet18"}
    plain, attentive = (registry.build(spec(**unet, options=o)) for o in ({}, {"decoder_attention_type": "scse"}))
    assert len(attentive.state_dict()) > len(plain.state_dict())


@pytest.mark.parametrize(
    "options",
    [
        {"nonsense": 1}, {"fusion": "none"}, {"reach_px": 0}, {"reach_px": -1.0}, {"reach_px": "far"},
        {"reach_px": True}, {"fusion": "early", "reach_px": 48},
    ],
    ids=str,
)  # fmt: skip
def test_options_that_linknet_does_not_know_are_refused(options):
    with pytest.raises(UnusableModel):
        registry.build(spec(options=options))


def test_the_reach_of_marks_is_given_in_pixels_and_outlives_copies():
    network = registry.build(spec(options={"reach_px": 48}))
    assert network.affinity.farthest == 12.0
    assert network.sharing_copy().affinity.farthest == 12.0
    assert registry.build(spec()).affinity.farthest == math.inf


def test_an_encoder_without_a_map_at_stride_2_is_refused_for_late_fusion():
    pytest.importorskip("segmentation_models_pytorch")
    with pytest.raises(UnusableModel, match="stride"):
        registry.build(spec(encoder="mit_b0"))


def test_weights_that_do_not_fit_or_cannot_be_read_are_refused(tmp_path):
    registry.save(tmp_path, spec(), registry.build(spec()))
    (tmp_path / registry.DESCRIPTION).write_text(
        (tmp_path / registry.DESCRIPTION).read_text().replace('"blue"', '"blue", "nir"').replace("0.5,", "0.5, 0.5,", 2)
    )
    with pytest.raises(UnusableModel):
        registry.load(tmp_path)
    registry.save(tmp_path, spec(), registry.build(spec()))
    (tmp_path / registry.WEIGHTS).write_bytes(b"\x00" * 100)
    with pytest.raises(UnusableModel, match="cannot be read"):
        registry.load(tmp_path)


def test_a_tile_does_not_depend_on_its_batch():
    predictor = Predictor(spec(), registry.build(spec()))
    images = np.random.default_rng(0).standard_normal((3, 3, 64, 64)).astype(np.float32)
    marks = torch.cat([marks_at((i, 9, 9 * i)) for i in range(3)]).numpy()
    together = predictor.logits(predictor.features(images), marks)
    alone = predictor.logits(predictor.features(images[1:2]), marks[1:2])
    assert np.allclose(together[1], alone[0], atol=1e-4)
    assert predictor.features(images)[0].nbytes > 0
