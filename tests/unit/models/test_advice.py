"""Marks or learning: the signs, counted by hand, and what follows from them."""

from __future__ import annotations

import numpy as np
import pytest

from terrafine.models.learning import advice
from terrafine.models.learning.advice import LEARN, MARK, Signs

SHAPE = (200, 200)


def case(changed=(), mark=(100, 100, 1), unsure=0.0):
    """A map of class 0 with a class-2 half; a mark (row, column, class); `changed` (rows, columns) become class 1."""
    before, marked = np.zeros(SHAPE, np.uint8), np.full(SHAPE, -1, np.int16)
    before[:, 150:] = 2
    after = before.copy()
    if changed:
        after[changed] = 1
    marked[mark[0], mark[1]] = mark[2]
    return before, after, np.full(SHAPE, unsure, np.float32), marked, np.ones(SHAPE, bool)


def test_what_changed_is_counted_where_there_is_data():
    arrays = case(changed=(slice(90, 110), slice(90, 110)))
    assert advice.read_signs(*arrays).changed_px == 400
    arrays[-1][90:100] = False
    assert advice.read_signs(*arrays).changed_px == 200


def test_a_mistake_is_the_contradicted_region_as_far_as_it_is_near():
    reach = advice.AROUND_PX
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    disk = np.hypot(rows - 100, cols - 140) <= reach
    signs = advice.read_signs(*case(mark=(100, 140, 1)))
    assert signs.changed_px == 0
    assert signs.mistake_px == (disk & (cols < 150)).sum()  # not what is of class 2 there


def test_a_mark_that_agrees_with_the_map_shows_no_mistake():
    assert advice.read_signs(*case(mark=(100, 100, 0))).mistake_px == 0


def test_certainty_is_that_of_the_neighbourhood():
    before, after, uncertainty, marked, valid = case()
    uncertainty[60:140, 60:140] = 0.25
    assert advice.read_signs(before, after, uncertainty, marked, valid).certainty == pytest.approx(0.75)


def test_sizes_are_those_of_the_model():
    arrays = case(changed=(slice(90, 110), slice(90, 110)), mark=(100, 100, 0))
    assert advice.read_signs(*arrays, scale=0.5).mistake_px == 100


def test_without_a_mark_in_the_data_nothing_is_wrong():
    before, after, uncertainty, marked, valid = case()
    advised = advice.advise(before, after, uncertainty, marked, np.zeros_like(valid))
    assert (advised.action, advised.changed_px, advised.certainty) == (MARK, 0, 1.0)


@pytest.mark.parametrize(
    ("mistake", "certainty", "action"),
    [
        (advice.SMALL_PX, advice.UNSURE - 0.01, LEARN),
        (advice.SMALL_PX - 1, advice.UNSURE - 0.01, MARK),
        (advice.SMALL_PX, advice.UNSURE, MARK),
    ],
)
def test_large_mistakes_in_unsure_maps_call_for_learning(mistake, certainty, action):
    assert advice.judge(Signs(1, mistake, certainty))[0] == action


def test_agreement_is_measured_beside_the_better_constant_answer():
    better = [MARK, MARK, LEARN, MARK]
    assert advice.agreement([MARK, LEARN, LEARN, MARK], better) == (0.75, 0.75)
    assert advice.agreement(better, better) == (1.0, 0.75)
