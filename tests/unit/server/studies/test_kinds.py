"""What each kind of study measures, on two made-up rasters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.server.evaluation.annotator import Annotator
from terrafine.server.evaluation.refinement import Refinement
from terrafine.server.studies import clicks, deaf, mistakes, patches, quality, sequence
from terrafine.server.studies.study import Relearning, Review, Row
from terrafine.server.studies.task import Task
from terrafine.server.training.configuration import data_options, parse, read_document
from terrafine.server.training.scenes import pairs
from terrafine.shared.errors import ConfigError
from terrafine.tests.unit.server.studies.test_studies import written


@pytest.fixture
def task(tmp_path):
    """Makes tasks for a network with random weights on two rasters of 64 × 70 pixels."""
    folder = written(tmp_path)
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

    def learn(refinement, *options):
        refinement.map = np.full_like(refinement.map, 7)

    monkeypatch.setattr(Annotator, "click", remembered)
    monkeypatch.setattr(Refinement, "learn", learn)
    clicks.measure(task(learning=Relearning(at=(1, 2), scope="head", follows=follows)))
    assert [bool((shown == 7).all()) for shown in maps] == [False, follows, False, follows]


def test_festa_learns_another_map_than_learning_alone(task):
    alone = Relearning(at=(2,), regularisation=0.0, deaf=True, rate=0.1)
    found = [clicks.measure(task(learning=replace(alone, festa=festa))) for festa in (False, True)]
    assert found[0].curves["miou"][0] == found[1].curves["miou"][0]
    assert found[0].curves["accuracy"][1] != found[1].curves["accuracy"][1]


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


def test_a_raster_on_which_nothing_was_marked_teaches_nothing(task):
    forgotten, carried = (sequence.measure(task(length=0, learning=Relearning(carry=carry))) for carry in (False, True))
    assert carried.curves["miou"] == forgotten.curves["miou"]


def test_a_map_without_mistakes_is_no_map_to_study_mistakes_on(task):
    with pytest.raises(ConfigError, match="no mistake"):
        mistakes.measure(task(length=0))


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
