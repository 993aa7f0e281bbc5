"""Where a simulated annotator clicks, and how it errs."""

from __future__ import annotations

import numpy as np
import pytest

from terrafine.server.evaluation.annotator import Annotator
from terrafine.shared.errors import ConfigError

CLASSES = (0, 1, 2)


@pytest.fixture
def truth():
    truth = np.zeros((60, 60), np.uint8)
    truth[10:41, 10:41], truth[50:53, 50:53] = 1, 2
    return truth


def click(truth, seed=0, **parts):
    return Annotator(**parts).click(np.zeros_like(truth), truth, CLASSES, np.random.default_rng(seed))


def test_a_careful_annotator_clicks_the_middle_of_the_largest_mistake(truth):
    mark = click(truth)
    assert (mark.vertices, mark.class_id) == (((25.5, 25.5),), 1)


def test_disir_clicks_go_to_the_eight_largest_mistakes_only():
    truth = np.zeros((3, 60), np.uint8)
    for index in range(10):
        truth[1, 6 * index : 6 * index + 5 - index // 2] = 1
    clicks = [click(truth, seed, protocol="disir") for seed in range(200)]
    assert {int(mark.vertices[0][0]) // 6 for mark in clicks} == set(range(8))


def test_by_class_small_mistakes_have_their_turn(truth):
    found = [click(truth, seed, by_class=True).class_id for seed in range(100)]
    assert 30 < found.count(2) < 70


def test_on_the_border_a_click_touches_what_is_right(truth):
    for seed in range(30):
        col, row = (int(value) for value in click(truth, seed, position="border").vertices[0])
        assert 10 in (col, row) or 40 in (col, row)


def test_places_err_by_the_offset_and_stay_inside(truth):
    places = np.array([click(truth, seed, offset_px=4.0).vertices[0] for seed in range(400)])
    assert places.std(0) == pytest.approx((4.0, 4.0), rel=0.2)
    far = np.array([click(truth, seed, offset_px=500.0).vertices[0] for seed in range(50)])
    assert far.min() >= 0.5
    assert far.max() <= 59.5


def test_the_wrong_class_is_named_as_often_as_asked(truth):
    found = [click(truth, seed, wrong_class=0.3).class_id for seed in range(400)]
    assert found.count(1) / 400 == pytest.approx(0.7, abs=0.08)
    assert set(found) == set(CLASSES)


def test_nobody_clicks_where_nothing_is_wrong(truth):
    assert Annotator(by_class=True).click(truth, truth, CLASSES, np.random.default_rng(0)) is None


@pytest.mark.parametrize("parts", [{"protocol": "guess"}, {"position": "above"}])
def test_what_an_annotator_does_not_know_is_refused(parts):
    with pytest.raises(ConfigError):
        Annotator(**parts)
