"""The studies of side information: thinning, strokes, density, and networks with nothing to learn; on made-up data."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terrafine.models import registry, simulate
from terrafine.models.metrics import VOID
from terrafine.server.studies import study
from terrafine.server.studies.run import Place, run
from terrafine.server.studies.strokes import thinned
from terrafine.server.training.configuration import read_document
from terrafine.shared.annotation import Annotation
from terrafine.tests.unit.server.studies.test_studies import BASE

SIDE = """
title = "Strokes"
about = "Which is better?"
kind = "{kind}"
seeds = 1
length = {length}

[all.model]
architecture = "sideinfnet"
encoding = {{ kind = "onehot", radius_px = 1.0 }}

[[rows]]
name = "SideInfNet"
"""


def strokes(*centres):
    return [Annotation(f"s{i}", "stroke", ((x - 1.0, y), (x + 1.0, y)), 0, 3.0) for i, (x, y) in enumerate(centres)]


def test_thinning_keeps_one_stroke_of_each_cluster_the_one_nearest_its_middle():
    left, right = [(0, 0), (10, 0), (4, 1)], [(500, 0), (510, 0), (506, 1)]
    marks = strokes(*left, *right)
    kept = thinned(marks, 1 / 3, np.random.default_rng(0))
    assert [mark.id for mark in kept] == ["s2", "s5"]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_thinning_keeps_so_many_in_their_order(share):
    places = np.random.default_rng(0).uniform(0, 1000, (23, 2))
    marks = strokes(*places)
    kept = thinned(marks, share, np.random.default_rng(1))
    assert len(kept) == math.ceil(23 * share)
    assert kept == [mark for mark in marks if mark in kept]


def test_a_stroke_is_drawn_in_every_region_that_is_not_small_and_lies_in_it():
    truth = np.full((96, 96), VOID, np.uint8)
    truth[4:44, 4:44], truth[4:44, 50:90], truth[60:63, 60:63] = 0, 1, 2
    found = simulate.strokes_in(truth, np.random.default_rng(0), simulate.Strokes(48, 100, 5.0))
    assert sorted({mark.class_id for mark in found}) == [0, 1]
    assert all(truth[int(y), int(x)] == mark.class_id for mark in found for x, y in mark.vertices)
    assert len({mark.id for mark in found}) == len(found)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    for name in ("a1", "b1"):
        truth = (np.arange(72)[None] // 36).repeat(72, 0).astype(np.uint8)
        image = np.clip(truth[..., None] * 180 + rng.integers(0, 60, (72, 72, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(truth).save(tmp_path / "labels" / f"{name}.png")
    (tmp_path / "base.toml").write_text(BASE, "utf-8")
    return tmp_path


def results(folder: Path, text: str):
    path = folder / "tried.toml"
    path.write_text(text, "utf-8")
    place = Place(read_document(folder / "base.toml"), folder, folder / "out")
    return list(run(study.find(str(path)), place, lambda words, done, total: None))[-1]


def test_strokes_are_taken_away_share_by_share(folder: Path):
    (found,) = results(folder, SIDE.format(kind="strokes", length=2))
    assert found.x == [0.0, 50.0, 100.0]
    assert found.figures["strokes"] >= 2
    assert all(len(curve) == 3 for curve in found.curves.values())
    assert found.curves["miou"][2] > found.curves["miou"][0]  # a marked pixel has its class


def test_density_times_clicks_at_ten_times_as_many_marks(folder: Path):
    (found,) = results(folder, SIDE.format(kind="density", length=2))
    assert found.x == [10.0, 100.0]
    assert all(seconds > 0 for seconds in found.curves["seconds"] + found.curves["processor seconds"])
    assert all(0.1 < gigabytes < 20 for gigabytes in found.curves["resident GB"])


def test_a_network_that_has_nothing_to_learn_is_measured_as_it_is(folder: Path):
    pytest.importorskip("cv2", reason="GrabCut is OpenCV's")
    text = SIDE.format(kind="strokes", length=1) + 'model = { architecture = "grabcut", encoder = "none" }\n'
    (found,) = results(folder, text)
    assert found.curves["miou"][1] > found.curves["miou"][0] + 0.3  # two plain colours, each with a stroke
    assert registry.describe(folder / "out" / "sideinfnet" / "seed1" / "model").architecture == "grabcut"


def test_points_are_told_ten_times_as_many_at_a_time(folder: Path):
    side = 'side = { names = ["dark", "bright"], mean = [0.5, 0.5], std = [0.5, 0.5] }\n\n[[rows]]'
    (found,) = results(folder, SIDE.format(kind="points", length=2).replace("\n[[rows]]", side))
    assert found.x == [0.0, 10.0, 100.0]
    assert len(found.curves["miou"]) == 3
