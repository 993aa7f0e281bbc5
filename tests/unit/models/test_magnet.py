"""MagNet's refinement module, its selection of pixels and its training."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from terrafine.models import registry
from terrafine.models.data import Scene
from terrafine.models.detail import selection
from terrafine.models.detail.lessons import Lesson, draw_lessons, lesson, stages
from terrafine.models.detail.train import AS_THEY_ARE, RefinerOptions, RefinerTask, choose_strength, hard_cross_entropy
from terrafine.models.infer import Predictor
from terrafine.models.metrics import VOID
from terrafine.models.networks import magnet
from terrafine.models.networks.magnet import Refiner
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.training.loop import Trainer
from terrafine.shared.errors import UnusableModel
from terrafine.shared.spec import Detail, LandCover, ModelSpec, Normalisation

CLASSES = tuple(LandCover(i, name, "#000000") for i, name in enumerate(("dark", "mid", "light")))
SPEC = ModelSpec(
    "tiny", "Tiny", "linknet", "mobilenet_v2_same", ("red", "green", "blue"), CLASSES, 0.5,
    Normalisation((0.0,) * 3, (1.0,) * 3), tile_px=32, overlap_px=8,
)  # fmt: skip
some_logits = arrays(np.float32, (3, 7, 9), elements=st.floats(-8, 8, width=32))


class Bands(MarkedNetwork):
    """The bands are the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def features(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (image * self.scale,)

    def decode(self, features: tuple[torch.Tensor, ...], marks: torch.Tensor) -> torch.Tensor:
        return features[0]

    def image_side(self) -> tuple[torch.nn.Module, ...]:
        return ()


def maps(*shape: int) -> torch.Tensor:
    return torch.randn(shape).softmax(1)


# ---- the module ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_an_untrained_module_gives_the_geometric_mean_of_both_maps(stride: int) -> None:
    coarse, fine = maps(2, 3, 16, 24), maps(2, 3, 16, 24)
    mean = (coarse * fine).sqrt()
    logits = Refiner(3, stride).eval()(coarse, fine)
    torch.testing.assert_close(logits.softmax(1), mean / mean.sum(1, keepdim=True))


def test_at_stride_1_it_has_the_papers_layers_and_some_88_000_weights() -> None:
    refiner = Refiner(6, stride=1)
    shapes = [tuple(p.shape) for p in refiner.parameters() if p.ndim == 4]
    assert shapes == [
        (64, 12, 3, 3), (64, 64, 3, 3), (32, 64, 1, 1), (32, 32, 3, 3), (128, 32, 1, 1), (128, 64, 1, 1),
        (32, 128, 1, 1), (32, 32, 3, 3), (128, 32, 1, 1), (128, 6, 1, 1),
    ]  # fmt: skip
    assert sum(p.numel() for p in refiner.parameters()) == pytest.approx(88_000, rel=0.02)


def test_the_order_of_the_two_maps_counts_and_the_coarser_comes_first() -> None:
    torch.manual_seed(0)
    refiner = Refiner(3).eval()
    refiner.weights.data = torch.tensor([0.0, 1.0])
    coarse, fine = maps(1, 3, 8, 8), maps(1, 3, 8, 8)
    torch.testing.assert_close(refiner(coarse, fine), fine.log())
    torch.testing.assert_close(refiner(fine, coarse), coarse.log())
    seen: list[torch.Tensor] = []
    refiner.norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    refiner(coarse, fine)
    torch.testing.assert_close(seen[0], torch.cat([coarse, fine], 1))


def test_a_predictor_gives_the_module_the_coarser_map_first_as_training_does() -> None:
    calls = []

    class Listener(Refiner):
        def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
            calls.append((coarse, fine))
            return super().forward(coarse, fine)

    spec, coarse, fine = dataclasses.replace(SPEC, temperature=2.0), *np.random.default_rng(0).normal(size=(2, 3, 8, 8))
    refined = Predictor(spec, Bands(), refiner=Listener(3)).refined(coarse.astype("f4"), fine.astype("f4"))
    for seen, given_map in zip(calls[0], (coarse, fine)):
        torch.testing.assert_close(seen[0], torch.from_numpy(given_map.astype("f4") / 2).softmax(0))
    expected = calls[0][0].log().add(calls[0][1].log()).div(2).softmax(1)[0]
    torch.testing.assert_close(torch.from_numpy(refined / 2).softmax(0), expected)


def test_a_stride_shrinks_the_layers_in_between() -> None:
    refiner, shapes = Refiner(3, stride=4).eval(), []
    refiner.blocks.register_forward_pre_hook(lambda _, inputs: shapes.append(inputs[0].shape))
    assert refiner(maps(1, 3, 32, 64), maps(1, 3, 32, 64)).shape == (1, 3, 32, 64)
    assert shapes == [(1, 64, 8, 16)]


# ---- the selection -------------------------------------------------------------------------------------------------


def test_the_unsure_pixels_that_the_refined_map_is_sure_of_are_chosen() -> None:
    unsure, sure = [0.0, 0.0, 0.0], [9.0, 0.0, 0.0]
    cumulative = np.array([[sure, unsure, sure, unsure]], np.float32).transpose(2, 0, 1).repeat(3, 1).repeat(3, 2)
    refined = np.array([[sure, sure, unsure, unsure]], np.float32).transpose(2, 0, 1).repeat(3, 1).repeat(3, 2)
    found = selection.score(cumulative, refined, 1.0)
    np.testing.assert_allclose(found[1, 1::3], [0, 1, 0, 0], atol=1e-3)


@given(some_logits, some_logits, st.sampled_from([0.5, 1.0, 2.0]))
def test_the_score_is_that_of_a_slow_loop(cumulative: np.ndarray, refined: np.ndarray, temperature: float) -> None:
    def unsure(logits: np.ndarray, y: int, x: int) -> float:
        powers = sorted(math.exp(value / temperature) for value in logits[:, y, x].astype(float))
        return 1 - (powers[-1] - powers[-2]) / sum(powers)

    _, height, width = cumulative.shape
    worth = [
        [unsure(cumulative, y, x) * (1 - unsure(refined, y, x)) for x in range(width)] for y in range(height)
    ]  # fmt: skip
    for y in range(height):
        for x in range(width):
            near = [
                worth[min(max(v, 0), height - 1)][min(max(u, 0), width - 1)]
                for v in (y - 1, y, y + 1) for u in (x - 1, x, x + 1)
            ]  # fmt: skip
            found = selection.score(cumulative, refined, temperature)[y, x]
            assert found == pytest.approx(sorted(near)[4], abs=2e-6)


@pytest.mark.parametrize(("share", "expected"), [(0.25, [5]), (0.5, [5, 4]), (0.75, [5, 4, 3, 3]), (1.0, [5, 4, 3, 3])])
def test_the_highest_share_is_chosen_with_all_that_are_as_high_as_its_last(share: float, expected: list[int]) -> None:
    scores = np.array([3, 5, 3, 4])
    assert sorted(scores[selection.best(scores, share)]) == sorted(expected)


def test_only_the_chosen_pixels_change() -> None:
    rng = np.random.default_rng(1)
    cumulative, refined = rng.normal(size=(2, 3, 20, 20)).astype("f4")
    merged = selection.merged(cumulative, refined, 0.25, 1.0)
    chosen = selection.best(selection.score(cumulative, refined, 1.0), 0.25)
    assert 100 <= chosen.sum() < 105  # a median repeats values, and all that are as high as the last count
    np.testing.assert_array_equal(merged[:, chosen], refined[:, chosen])
    np.testing.assert_array_equal(merged[:, ~chosen], cumulative[:, ~chosen])
    np.testing.assert_array_equal(selection.merged(cumulative, refined, 1.0, 1.0), refined)


# ---- lessons and training ------------------------------------------------------------------------------------------


def test_each_scale_is_refined_by_the_next() -> None:
    assert stages((2, 1, 0.5)) == [(2, 1), (1, 0.5)]


@pytest.mark.parametrize("stage", [(4, 2), (1, 0.5)])
def test_a_lesson_shows_both_maps_of_one_place(stage: tuple[float, float]) -> None:
    side = round(32 * stage[0])
    rows, cols = np.mgrid[:side, :side].astype(np.float32) / side
    image = np.stack([rows, cols, rows + cols])
    truth = np.mgrid[:side, :side][0].astype(np.uint8)
    found = lesson(Bands(), SPEC, image, truth, stage, np.random.default_rng(3))
    np.testing.assert_allclose(found.coarse[:, 3:-3, 3:-3], found.fine[:, 3:-3, 3:-3], atol=0.02)
    assert found.fine.shape == (3, 32, 32)
    assert found.coarse.dtype == np.float16
    np.testing.assert_allclose(found.truth, found.fine[0] * side, atol=2.0)  # the truth's value is its row


def test_the_loss_is_the_mean_of_the_pixels_that_are_not_settled() -> None:
    probability = torch.tensor([0.99, 0.95, 0.9, 0.8, 0.6, 0.5, 0.2, 0.9])
    logits = torch.stack([probability.log(), (1 - probability).log()])[None, :, None]
    truth = torch.tensor([[[0, 0, 0, 0, 0, 0, 0, VOID]]], dtype=torch.uint8)
    loss = hard_cross_entropy(logits, truth, sure=0.7, hardest=0.1)
    assert float(loss) == pytest.approx(-np.mean(np.log([0.6, 0.5, 0.2])), rel=1e-5)
    hardest = hard_cross_entropy(logits, truth, sure=0.1, hardest=2 / 7)
    assert float(hardest) == pytest.approx(-np.mean(np.log([0.2, 0.5])), rel=1e-5)
    everything = F.cross_entropy(logits, truth.long(), ignore_index=VOID)
    torch.testing.assert_close(hard_cross_entropy(logits, truth, sure=1.0), everything)


def test_training_teaches_the_module_what_the_frozen_network_gets_wrong(tmp_path) -> None:
    """Where the finer map says class 1 the truth is 2: the module learns it, and the network stays what it is."""
    rng = np.random.default_rng(0)
    shown = np.repeat(np.repeat(rng.integers(0, 3, (32, 32)), 8, 0), 8, 1)
    image = (np.eye(3)[shown].transpose(2, 0, 1) * 255).astype(np.uint8)
    scene = Scene("swapped", image, np.where(shown == 1, 2, shown).astype(np.uint8))
    network, refiner = Bands(), Refiner(3)
    lessons = list(draw_lessons(network, SPEC, [scene], (2, 1), 4, AS_THEY_ARE, seed=1))
    options = RefinerOptions(steps=30, batch=2, crop_px=32, lr=1e-2, warmup=2)
    trainer = Trainer(RefinerTask(SPEC, refiner, lessons, options), tmp_path)
    losses = [values["loss"] for _, values in trainer.run()]
    assert losses[-1] < 0.5 * losses[0]
    assert network.scale.item() == 1.0
    torch.testing.assert_close(trainer.result.state_dict(), refiner.state_dict())  # no average: the last weights


@pytest.mark.parametrize(("truth", "expected"), [(2, 1.0), (0, 0.0)])
def test_a_module_is_as_strong_as_suits_scenes_that_it_did_not_learn_from(truth: int, expected: float) -> None:
    """It adds 4 to class 2, where both maps say class 0 by a margin of 3: at full strength that is class 2."""
    refiner = Refiner(3).eval()
    refiner.head.bias.data[2] = 4.0
    logits = np.zeros((3, 8, 8), np.float16)
    logits[0] = 3.0
    lessons = [Lesson(logits, logits, np.full((8, 8), truth, np.uint8))]
    assert choose_strength(refiner, lessons, 1.0, 3) == expected
    assert refiner.strength.item() == expected


def test_a_module_without_strength_does_not_run_its_layers() -> None:
    refiner, ran = Refiner(3).eval(), []
    refiner.head.bias.data[2] = 4.0
    refiner.blocks.register_forward_pre_hook(lambda *_: ran.append(1))
    refiner.strength.fill_(0.0)
    coarse, fine = maps(1, 3, 8, 8), maps(1, 3, 8, 8)
    torch.testing.assert_close(refiner(coarse, fine), (coarse.log() + fine.log()) / 2)
    assert not ran


# ---- files ---------------------------------------------------------------------------------------------------------


def test_a_module_beside_a_model_is_loaded_with_it(tmp_path) -> None:
    network = registry.build(SPEC)
    registry.save(tmp_path, SPEC, network)
    trained = Refiner(3, stride=2).eval()
    torch.nn.init.normal_(trained.head.weight)
    registry.save_refiner(tmp_path, trained, Detail((2, 1), 0.5, 0.25))
    predictor = registry.load_predictor(tmp_path)
    coarse, fine = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype("f4")
    expected = Predictor(SPEC, network, refiner=trained).refined(coarse, fine)
    np.testing.assert_array_equal(predictor.refined(coarse, fine), expected)
    assert predictor.spec.detail == Detail((2, 1), 0.5, 0.25)


def test_a_module_of_other_classes_is_refused(tmp_path) -> None:
    registry.save(tmp_path, SPEC, registry.build(SPEC))
    registry.save_refiner(tmp_path, Refiner(4), Detail())
    with pytest.raises(UnusableModel, match="4 classes"):
        registry.load_predictor(tmp_path)
    (tmp_path / registry.REFINER).write_bytes(b"nonsense")
    with pytest.raises(UnusableModel, match="cannot be read"):
        registry.load_predictor(tmp_path)
    with pytest.raises((OSError, KeyError, RuntimeError)):
        magnet.load(tmp_path / "nowhere")


def test_a_network_with_new_classes_has_no_module_any_more() -> None:
    predictor = Predictor(dataclasses.replace(SPEC, detail=Detail()), Bands(), refiner=Refiner(3))
    grown = dataclasses.replace(predictor.spec, classes=(*CLASSES, LandCover(3, "new", "#123456")))
    assert predictor.successor(Bands()).refiner is predictor.refiner
    after = predictor.successor(Bands(), grown)
    assert after.refiner is None
    assert after.spec.detail is None


@pytest.mark.parametrize(
    "wrong", [{"scales": (1,)}, {"scales": (2, 4)}, {"scales": (6, 4)}, {"pixels": 0.0}, {"patches": 1.5}]
)
def test_a_detail_that_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(UnusableModel):
        Detail(**wrong)
