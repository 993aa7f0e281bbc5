"""The simulated annotator on maps small enough to see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terrafine.models import simulate
from terrafine.models.encoding.encode import marked_pixels
from terrafine.models.metrics import VOID
from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Window

RIGHT = np.zeros((9, 12), np.uint8)


def rng(seed=0):
    return np.random.default_rng(seed)


def wrong_rectangle(rows, cols, truth_class=1):
    truth = RIGHT.copy()
    truth[rows, cols] = truth_class
    return truth


def pixel(mark):
    return int(mark.vertices[0][1]), int(mark.vertices[0][0])


def test_a_map_without_mistakes_gets_no_click():
    assert simulate.next_click(RIGHT, RIGHT, rng()) is None


def test_void_is_never_a_mistake():
    assert simulate.next_click(RIGHT, np.full_like(RIGHT, VOID), rng()) is None


def test_the_ritm_click_lies_deepest_in_the_largest_mistake_and_carries_its_class():
    truth = wrong_rectangle(slice(2, 7), slice(3, 8), truth_class=3)
    truth[0, 11] = 1
    click = simulate.next_click(RIGHT, truth, rng())
    assert pixel(click) == (4, 5)
    assert click.class_id == 3


def test_the_edge_of_the_map_counts_as_an_edge():
    truth = wrong_rectangle(slice(0, 5), slice(0, 5))
    assert pixel(simulate.next_click(RIGHT, truth, rng())) == (2, 2)


def test_touching_regions_of_two_true_classes_are_two_mistakes():
    truth = wrong_rectangle(slice(2, 4), slice(2, 4), 1)
    truth[2:4, 4:7] = 2
    assert [(m.class_id, m.area) for m in simulate.mistakes(RIGHT, truth)] == [(2, 6), (1, 4)]


def test_mistakes_of_some_classes_are_those_alone():
    truth = wrong_rectangle(slice(0, 6), slice(0, 6), 1)
    truth[8, 8] = 2
    assert [(m.class_id, m.area) for m in simulate.mistakes(RIGHT, truth, [2, 4])] == [(2, 1)]


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_marks_from_errors_lie_on_mistakes_of_their_class(seed, stroke_share):
    generator = np.random.default_rng(seed)
    truth, prediction = generator.integers(0, 3, (2, 12, 12)).astype(np.uint8)
    for mark in simulate.marks_from_errors(prediction, truth, 5, generator, stroke_share):
        for x, y in mark.vertices:
            assert truth[int(y), int(x)] == mark.class_id != prediction[int(y), int(x)]


def test_marks_from_truth_draw_rare_classes_as_often_as_common_ones():
    truth = wrong_rectangle(slice(0, 1), slice(0, 2), 5)
    classes = [mark.class_id for mark in simulate.marks_from_truth(truth, 400, rng())]
    assert 140 < classes.count(5) < 260


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(3, 11))
def test_the_whole_width_of_a_stroke_lies_on_its_mistake(seed, width, height):
    truth = np.zeros((20, 40), np.uint8)
    truth[4 : 4 + height, 3:35] = 1
    mark = simulate.stroke_in(simulate.mistakes(np.zeros_like(truth), truth)[0], rng(seed), float(width))
    covered = marked_pixels([mark], Window(0, 0, 40, 20)) == 1
    assert covered.any()
    assert (truth[covered] == 1).all()


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_relabelling_calls_one_class_or_one_region_of_it_by_another_name(seed):
    truth = wrong_rectangle(slice(1, 4), slice(1, 4), 1)
    truth[6:8, 6:10], truth[0, 0] = 1, VOID
    changed = simulate.relabelled(truth, 4, 360.0, rng(seed))
    where = changed != truth
    (old,), (new,) = np.unique(truth[where]), np.unique(changed[where])
    assert old != VOID
    assert new not in (old, VOID)
    assert where.sum() in {(truth == old).sum(), 9, 8}


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(25.0, 60.0))
def test_relabelling_ends_at_its_farthest_from_a_place(seed, farthest):
    truth = np.ones((100, 120), np.uint8)
    rows, cols = np.nonzero(simulate.relabelled(truth, 3, farthest, rng(seed)) != truth)
    assert 24 <= max(np.ptp(rows), np.ptp(cols)) <= 2 * farthest


def test_relabelling_what_is_all_void_changes_nothing():
    void = np.full((3, 3), VOID, np.uint8)
    assert np.array_equal(simulate.relabelled(void, 4, 360.0, rng()), void)


def test_a_stroke_never_leaves_its_mistake():
    truth = wrong_rectangle(slice(1, 8), slice(2, 10))
    mistake = simulate.mistakes(RIGHT, truth)[0]
    lengths = set()
    for seed in range(20):
        mark = simulate.stroke_in(mistake, rng(seed), 3.0)
        lengths.add(len(mark.vertices))
        assert all(truth[int(y), int(x)] == 1 for x, y in mark.vertices)
    assert lengths == {2}


def test_marks_from_the_truth_may_follow_the_areas():
    truth = np.zeros((40, 40), np.uint8)
    truth[:2] = 1
    rare = [
        sum(mark.class_id == 1 for mark in simulate.marks_from_truth(truth, 400, rng(), balanced)) / 400
        for balanced in (True, False)
    ]
    assert rare == [pytest.approx(0.5, abs=0.1), pytest.approx(0.05, abs=0.04)]


def test_marks_may_lie_on_borders_alone():
    truth = np.zeros((30, 30), np.uint8)
    truth[10:20, 10:20], truth[0, 0] = 1, VOID
    for mark in simulate.marks_from_truth(truth, 100, rng(), on_border=True):
        col, row = (int(value) for value in mark.vertices[0])
        near = [truth[r, c] for r, c in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1))
                if 0 <= r < 30 and 0 <= c < 30]  # fmt: skip
        assert truth[row, col] != VOID
        assert any(other != truth[row, col] for other in near)


def test_a_point_on_the_border_of_a_mistake_lies_on_its_rim():
    truth = np.zeros((20, 20), np.uint8)
    truth[5:12, 5:12] = 1
    (mistake,) = simulate.mistakes(np.zeros_like(truth), truth)
    places = {simulate.on_border(mistake, rng(seed)) for seed in range(60)}
    assert all(0 in place or 6 in place for place in places)
    assert len(places) > 10


def test_a_moved_mark_keeps_its_shape():
    stroke = Annotation("m", "stroke", ((1.0, 2.0), (3.0, 4.0)), 1, 2.0)
    assert simulate.moved(stroke, 10, 20) == Annotation("m", "stroke", ((11.0, 22.0), (13.0, 24.0)), 1, 2.0)
