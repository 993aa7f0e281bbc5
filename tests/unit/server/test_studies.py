"""Tiny studies on made-up data: everything that a study trains, measures, keeps and writes."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.server.cli import main
from terrafine.server.evaluation.annotator import Annotator
from terrafine.server.evaluation.refinement import Refinement
from terrafine.server.studies import clicks, deaf, mistakes, patches, quality, report, sequence, study
from terrafine.server.studies.run import Place, Result, run
from terrafine.server.studies.study import Relearning, Review, Row
from terrafine.server.studies.task import Task
from terrafine.server.training.configuration import data_options, parse, read_document
from terrafine.server.training.scenes import pairs
from terrafine.shared.errors import ConfigError, NotFound

BASE = """
[model]
name = "toy"
title = "Toy"
architecture = "linknet"
encoder = "mobilenet_v2_same"
bands = ["red", "green", "blue"]
gsd_m = 1.0
tile_px = 64
overlap_px = 16
normalisation = { mean = [0.5, 0.5, 0.5], std = [0.5, 0.5, 0.5] }
classes = [{ name = "dark", color = "#102030" }, { name = "bright", color = "#FFFFFF" }]

[data]
images = "images"
labels = "labels"
train = ["a*"]
test = ["b*"]

[training]
steps = 2
batch = 2
crop_px = 32
mixed_precision = false
"""
STUDY = """
title = "Two ways"
about = "Which is better?"
seeds = 2
length = 3

[all.training]
checkpoint_every = 1

[[rows]]
name = "One way"

[[rows]]
name = "The other"
model = { options = { fusion = "early" } }
annotator = { protocol = "disir" }
"""


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    for name in ("a1", "b1", "b2"):
        truth = np.zeros((64, 70), np.uint8)
        truth[:, 35:] = 1
        pixels = (truth[..., None] * 120 + rng.integers(0, 60, (64, 70, 3))).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(truth).save(tmp_path / "labels" / f"{name}.png")
    (tmp_path / "base.toml").write_text(BASE)
    (tmp_path / "ways.toml").write_text(STUDY)
    return tmp_path


def the_study(folder):
    return study.find(str(folder / "ways.toml"))


def place(folder):
    return Place(read_document(folder / "base.toml"), folder, folder / "out")


def silent(words, done, total):
    pass


def finished(folder):
    return list(run(the_study(folder), place(folder), silent))[-1]


def test_every_study_of_the_catalogue_can_be_read():
    for name in study.names():
        found = study.find(name)
        assert found.title
        assert len({row.name for row in found.rows}) == len(found.rows)


def test_what_all_rows_share_is_overruled_by_a_row(folder):
    one, other = the_study(folder).rows
    assert one.changes == {"training": {"checkpoint_every": 1}}
    assert other.changes == {"training": {"checkpoint_every": 1}, "model": {"options": {"fusion": "early"}}}
    assert other.annotator.protocol == "disir"


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("title =", "titel =", "titel"),
        ('name = "One way"', 'nom = "One way"', "nom"),
        ("disir", "guess", "guess"),
        ("protocol =", "protokoll =", "protokoll"),
    ],
)
def test_what_is_wrong_with_a_study_is_named(folder, old, new, word):
    (folder / "ways.toml").write_text(STUDY.replace(old, new))
    with pytest.raises(ConfigError, match=word):
        the_study(folder)


def test_a_study_that_nobody_knows_is_refused_with_the_names_there_are():
    with pytest.raises(NotFound) as refusal:
        study.find("astrology")
    assert "fusion" in refusal.value.hint


def test_each_row_is_trained_and_measured_with_each_seed(folder):
    results = finished(folder)
    assert [(result.row, result.seed) for result in results] == [
        ("One way", 1), ("The other", 1), ("One way", 2), ("The other", 2),
    ]  # fmt: skip
    for result in results:
        assert result.images == ["b1", "b2"]
        assert {len(values) for values in result.curves.values()} == {4}


def test_finished_results_are_kept_and_only_the_missing_one_is_made_again(folder):
    finished(folder)
    kept = folder / "out" / "one-way" / "seed1" / "result.json"
    content = json.loads(kept.read_text())
    content["date"] = "long ago"
    kept.write_text(json.dumps(content))
    (folder / "out" / "the-other" / "seed2" / "result.json").unlink()
    worked = set()
    results = list(run(the_study(folder), place(folder), lambda words, done, total: worked.add(words)))[-1]
    assert results[0].date == "long ago"
    assert worked == {"The other, seed 2: clicks"}


def test_a_row_may_have_the_model_of_another_and_a_legend_of_more_classes(folder):
    grown = '[[rows]]\nname = "Grown"\ntrained = "One way"\nlegend = "LEGEND"\n'
    white, green = '"#FFFFFF" }', '{ name = "green", color = "#00FF00" }'
    (folder / "more.toml").write_text((folder / "base.toml").read_text().replace(white, f"{white}, {green}"))
    spec = parse(read_document(folder / "more.toml"), "more").spec
    registry.save(folder / "legend", spec, registry.build(spec))
    (folder / "ways.toml").write_text(STUDY + grown.replace("LEGEND", str(folder / "legend")))
    results = [result for result in finished(folder) if result.row == "Grown"]
    assert [set(result.curves) >= {"iou dark", "iou bright", "iou green"} for result in results] == [True, True]
    assert not (folder / "out" / "grown" / "seed1" / "model").exists()


def test_a_row_cannot_have_the_model_of_a_row_that_is_not_there(folder):
    (folder / "ways.toml").write_text(STUDY + '[[rows]]\nname = "Grown"\ntrained = "No way"\n')
    with pytest.raises(ConfigError, match="No way"):
        finished(folder)


def test_results_of_other_settings_are_not_taken_for_these(folder):
    finished(folder)
    (folder / "ways.toml").write_text(STUDY.replace("length = 3", "length = 4"))
    with pytest.raises(ConfigError, match="other settings"):
        finished(folder)


def results_of(*mious):
    """One row, one seed a curve."""
    names = ("miou", "seconds", "corrected", "broken", "iou dark", "iou bright")
    return [
        Result(
            "One way",
            seed,
            [0, 1, 2, 3],
            {name: list(values) for name in names},
            {"ece": 0.1},
            ["b1"],
            "a machine",
            "2026-01-02",
        )
        for seed, values in enumerate(mious, 1)
    ]


def test_the_area_is_the_mean_height_of_the_curve():
    assert report.area(np.array([0.0, 1.0, 1.0]), [0, 1, 2]) == pytest.approx(0.75)
    assert report.area(np.array([0.0, 1.0, 1.0]), [0, 1, 10]) == pytest.approx(0.95)
    assert report.area(np.array([0.4]), [0]) == pytest.approx(0.4)


def test_the_page_says_what_was_measured_on_what(folder):
    text = report.page(the_study(folder), results_of((0.5, 0.6, 0.7, 0.8), (0.7, 0.8, 0.9, 1.0)), place(folder))
    assert "2 of 4 results" in text
    assert "a machine, 2026-01-02" in text
    assert "steps 2, batch 2, crop_px 32" in text
    row = next(line for line in text.splitlines() if line.startswith("| One way | 2"))
    assert "| 60.0 ± 14.1 | 70.0 ± 14.1 | 90.0 ± 14.1 | 75.0 ± 14.1 | 30.0 ± 0.0 |" in row
    assert "never a paper's absolute numbers" in text


def test_the_command_writes_a_table_curves_and_a_page(folder, capsys):
    words = ["study", str(folder / "ways.toml"), "--on", str(folder / "base.toml"), "--data", str(folder)]
    assert main([*words, "--out", str(folder / "out"), "--seeds", "1", "--device", "cpu"]) == 0
    assert (folder / "out" / "curves.png").stat().st_size > 5000
    assert "| The other | 1 |" in (folder / "out" / "README.md").read_text()
    with (folder / "out" / "results.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["name"] == "miou"]
    assert len(rows) == 2 * 4


def test_the_command_lists_the_studies(capsys):
    assert main(["study", "--list"]) == 0
    assert "fusion" in capsys.readouterr().out
    assert main(["study"]) == 2


@pytest.fixture
def task(folder):
    """Makes tasks for a network with random weights on two rasters of 64 × 70 pixels."""
    document = read_document(folder / "base.toml")
    spec, data = parse(document, "base").spec, data_options(document)
    torch.manual_seed(0)
    predictor = Predictor(spec, registry.build(spec))
    images = pairs(data, folder, data.test)

    def make(length=2, seed=1, **parts):
        return Task(Row("a row", **parts), predictor, images, data, length, seed, lambda done, total: None)

    return make


def test_learning_rows_see_the_map_where_they_learnt_and_start_like_all_others(task):
    plain, learnt = (clicks.measure(task(learning=Relearning(at=at, scope="head"))) for at in ((), (1, 2)))
    assert (plain.x, learnt.x) == ([0, 1, 2], [0, 1, 2])
    assert learnt.curves["miou"][0] == plain.curves["miou"][0]
    assert learnt.curves["seconds"][2] > 0


@pytest.mark.parametrize("follows", [False, True])
def test_who_follows_the_learnt_map_looks_for_mistakes_in_it(task, monkeypatch, follows):
    maps, click = [], Annotator.click

    def remembered(annotator, shown, *rest):
        maps.append(shown.copy())
        return click(annotator, shown, *rest)

    def learn(refinement, options):
        refinement.map = np.full_like(refinement.map, 7)

    monkeypatch.setattr(Annotator, "click", remembered)
    monkeypatch.setattr(Refinement, "learn", learn)
    clicks.measure(task(learning=Relearning(at=(1, 2), scope="head", follows=follows)))
    assert [bool((shown == 7).all()) for shown in maps] == [False, follows, False, follows]


def test_a_deaf_network_takes_no_notice_of_marks(task):
    hearing = task().predictor
    image, marks = np.zeros((1, 3, 64, 64), np.float32), np.ones((1, 2, 64, 64), np.float32)
    heard, unheard = (p.logits(p.features(image), marks) for p in (hearing, deaf.deaf(hearing)))
    assert np.array_equal(unheard, hearing.logits(hearing.features(image), 0 * marks))
    assert not np.array_equal(heard, unheard)


@pytest.mark.parametrize("order", ["uncertainty", "random", "reading", "oracle"])
def test_every_patch_is_reviewed_once_and_then_all_is_right(task, order):
    found = patches.measure(task(length=99, review=Review(order=order, size_px=32, act="truth")))
    assert found.x == list(range(2 * 3 + 1))
    assert found.curves["miou"][-1] == 1.0
    assert sum(found.curves["corrected"]) > 0


def test_who_knows_the_truth_begins_with_the_worst_patch(task):
    first = {
        order: patches.measure(task(length=1, review=Review(order=order, size_px=32, act="truth")))
        for order in ("oracle", "reading")
    }
    assert first["oracle"].curves["corrected"][1] >= first["reading"].curves["corrected"][1]


def test_one_click_a_patch_marks_one_mistake_in_it(task):
    found = patches.measure(task(length=1, review=Review(order="oracle", size_px=32, act="click")))
    assert found.curves["miou"][1] != found.curves["miou"][0]


def test_what_is_learnt_is_carried_to_the_next_raster_if_that_is_asked_for(task):
    forgotten, carried = (
        sequence.measure(task(learning=Relearning(scope="head", carry=carry))).curves["miou"] for carry in (False, True)
    )
    assert carried[0] == forgotten[0]
    assert carried[1] != forgotten[1]


def test_each_mistake_is_mended_both_ways_from_the_same_map(task):
    found = mistakes.measure(task(length=2, learning=Relearning(scope="head")))
    sizes = found.curves["size of the mistake"]
    assert sizes == sorted(sizes)
    assert 0 <= found.figures["share where learning is better"] <= 1


def test_the_advice_is_held_against_the_better_constant_answer():
    samples = [mistakes.Sample(area, 10, learnt, advised) for area, learnt, advised in (
        (1, 20, "learn"), (2, 5, "mark"), (3, 5, "mark"), (4, 5, "learn"), (5, 30, "mark"),
    )]  # fmt: skip
    figures = mistakes.summary(samples).figures
    assert figures["share where learning is better"] == pytest.approx(2 / 5)
    assert figures["share where the advice was right"] == pytest.approx(3 / 5)
    assert figures["share where the better constant answer is"] == pytest.approx(3 / 5)


def test_the_auroc_is_the_share_of_pairs_in_the_right_order():
    rng = np.random.default_rng(0)
    scores, wrong = rng.integers(0, 5, 60) / 4, rng.random(60) < 0.3
    pairs_of = [(a > b) + 0.5 * (a == b) for a in scores[wrong] for b in scores[~wrong]]
    assert quality.auroc(scores, wrong) == pytest.approx(np.mean(pairs_of))
    assert np.isnan(quality.auroc(scores, np.zeros(60, bool)))


def test_the_share_of_the_gap_lies_between_floor_and_ceiling(folder):
    names = {"low": 0.2, "mid": 0.5, "high": 0.6}
    rows = tuple(Row(name) for name in names)
    results = [
        Result(name, 1, [0, 1], {"miou": [height] * 2, "seconds": [0, 1]}, {}, ["b1"], "a machine", "2026-01-02")
        for name, height in names.items()
    ]
    text = report.page(study.Study("x", "X", "?", rows, floor="low", ceiling="high"), results, place(folder))
    assert "| mid | 1 | 50.0 | 50.0 | 50.0 | 0.0 | 75 % |" in text
