"""The weights that do best with clicks are kept, and a training that finds no better ones ends."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from terrafine.models import registry
from terrafine.server.training import maps
from terrafine.server.training.best import Best, area
from terrafine.server.training.configuration import parse
from terrafine.server.training.log import LOG, Log
from terrafine.server.training.run import MODEL, train

MODEL_TABLE = {
    "name": "toy", "title": "Toy", "architecture": "linknet", "encoder": "mobilenet_v2_same",
    "bands": ["grey"], "gsd_m": 1.0, "tile_px": 64, "overlap_px": 16,
    "normalisation": {"mean": [0.5], "std": [0.5]},
    "classes": [{"name": "dark", "color": "#000000"}, {"name": "bright", "color": "#ffffff"}],
}  # fmt: skip


def miou(*curve):
    return {f"miou_{clicks}_clicks": value for clicks, value in curve}


@pytest.fixture
def log(tmp_path):
    with Log(tmp_path / LOG, 0) as log:
        log.write(1, {"loss_plain": 2.0})
        log.write(2, miou((0, 0.2), (4, 0.8)))
    return tmp_path / LOG


def test_the_area_is_the_mean_height_of_the_curve_whatever_the_steps_between_clicks():
    assert area(miou((0, 0.2), (2, 0.4), (8, 1.0))) == pytest.approx((2 * 0.3 + 6 * 0.7) / 8)
    assert area({"validation_iou_3": 0.7, "validation_iou_1": 0.5, "validation_noc_85": 9.0}) == pytest.approx(0.6)
    assert area({"loss_plain": 0.5}) < 0


def test_a_better_start_without_a_gain_is_not_better(log):
    best = Best(log, patience=3)
    assert not best.beats(miou((0, 0.45), (4, 0.45)))
    assert best.beats(miou((0, 0.1), (4, 0.95)))


def test_it_is_time_to_stop_after_so_many_validations_without_a_better_one(log):
    best = Best(log, patience=2)
    answers = []
    for height in (0.4, 0.6, 0.5, 0.6):
        best.beats(miou((0, height), (4, height)))
        best.beats({"loss_plain": 1.0})
        answers.append(best.is_final)
    assert answers == [False, False, False, True]


def test_without_patience_there_is_no_end(log):
    best = Best(log, patience=0)
    for _ in range(5):
        best.beats(miou((0, 0.1), (4, 0.1)))
    assert not best.is_final


def test_a_training_ends_early_with_its_best_weights_and_stays_so_when_resumed(tmp_path, monkeypatch):
    truth = np.repeat([0, 1], 48)[None].repeat(96, 0).astype(np.uint8)
    for folder, pixels in (("images", truth * 200), ("labels", truth)):
        (tmp_path / folder).mkdir()
        for name in "ab":
            Image.fromarray(pixels).save(tmp_path / folder / f"{name}.png")
    data = {"images": "images", "labels": "labels", "train": ["a"], "validate": ["b"]}
    training = {"steps": 9, "batch": 1, "crop_px": 64, "validate_every": 1, "checkpoint_every": 1}
    training |= {"warmup": 0, "ema": 0.0, "patience": 2}
    config = parse({"model": dict(MODEL_TABLE), "data": data, "training": training}, "toy")
    heights, weights = iter((0.3, 0.7, 0.5, 0.6)), []

    def scripted(spec, network, *_):
        weights.append(network.head.weight.clone())
        height = next(heights)
        return {0: height, 8: height}

    monkeypatch.setattr(maps, "validate", scripted)
    assert [step for step, _ in train(config, tmp_path, tmp_path / "out")] == [1, 2, 3, 4]
    kept = registry.load(tmp_path / "out" / MODEL)[1].head.weight
    assert [bool((kept == other).all()) for other in weights] == [False, True, False, False]
    assert not list(train(config, tmp_path, tmp_path / "out", resume=True))
