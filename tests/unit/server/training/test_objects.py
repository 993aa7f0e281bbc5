"""`terrafine train` with task = "object", from label rasters to a model that finds what it was shown."""

from __future__ import annotations

import csv
import itertools

import numpy as np
import pytest
from PIL import Image

from terrafine.models.objects import build
from terrafine.server.training.configuration import parse
from terrafine.server.training.run import train
from terrafine.shared.errors import ConfigError

MODEL = {
    "name": "finder", "title": "Finder", "task": "object", "architecture": "iog", "encoder": "mobilenet_v2_same",
    "bands": ["red", "green", "blue"], "gsd_m": 0.0, "tile_px": 64, "overlap_px": 0,
    "normalisation": {"mean": [0.5] * 3, "std": [0.5] * 3},
    "classes": [{"name": "other", "color": "#000000"}, {"name": "building", "color": "#ff0000"}],
}  # fmt: skip
TRAINING = {
    "steps": 4, "batch": 2, "crop_px": 64, "validate_every": 4, "checkpoint_every": 2, "warmup": 1, "ema": 0.5,
    "mixed_precision": False, "objects": {"least_px": 50, "added": 2},
}  # fmt: skip


@pytest.fixture
def root(tmp_path):
    """Two scenes, each with two bright buildings on dark ground."""
    rng = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b"):
        labels = np.zeros((96, 96), np.uint8)
        labels[10:30, 12:40] = labels[50:80, 50:75] = 1
        image = (60 + 140 * labels)[..., None] + rng.integers(0, 20, (96, 96, 3))
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(labels).save(tmp_path / "labels" / f"{name}.png")
    return tmp_path


def config(**training):
    data = {"images": "images", "labels": "labels", "train": ["a"], "validate": ["b"]}
    return parse({"model": dict(MODEL), "data": data, "training": {**TRAINING, **training}}, "test.toml")


def steps_of(log):
    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {(int(row["step"]), row["name"]): float(row["value"]) for row in rows}


def test_a_training_leaves_a_model_its_log_and_its_curves(root, tmp_path):
    out = tmp_path / "out"
    for _ in train(config(), root, out):
        pass
    spec, _ = build.load(out / "model")
    assert (spec.name, spec.task) == ("finder", "object")
    values = steps_of(out / "log.csv")
    assert {name for step, name in values if step == 1} == {"loss_first", "loss_more", "iou_first", "iou_more"}
    assert (4, "validation_noc_85") in values
    assert (out / "curves.png").is_file()


def test_a_resumed_training_goes_on_as_if_nothing_had_happened(root, tmp_path):
    for _ in train(config(), root, tmp_path / "whole"):
        pass
    for _ in itertools.islice(train(config(), root, tmp_path / "halves"), 2):
        pass
    for _ in train(config(), root, tmp_path / "halves", resume=True):
        pass
    whole, halves = (steps_of(tmp_path / name / "log.csv") for name in ("whole", "halves"))
    assert {key: value for key, value in halves.items() if key[0] > 2} == pytest.approx(
        {key: value for key, value in whole.items() if key[0] > 2}, rel=1e-3
    )


def test_a_network_learns_what_it_is_shown(root, tmp_path):
    losses = [values["loss_first"] for _, values in train(config(steps=12, lr=5e-3), root, tmp_path / "out")]
    assert np.mean(losses[-3:]) < 0.7 * losses[0]


def test_without_an_object_there_is_nothing_to_learn(root, tmp_path):
    with pytest.raises(ConfigError, match="no object of 5000 pixels"):
        list(train(config(objects={"least_px": 5000}), root, tmp_path / "out"))
    with pytest.raises(ConfigError, match="no class 'castle'"):
        list(train(config(objects={"classes": ["castle"]}), root, tmp_path / "out"))
