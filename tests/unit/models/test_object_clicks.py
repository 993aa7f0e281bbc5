"""The simulated analyst who points at one object, and the objects that there are."""

from __future__ import annotations

import numpy as np
import pytest

from terrafine.models.data import Scene
from terrafine.models.metrics import VOID
from terrafine.models.objects import clicks, measure
from terrafine.models.objects.measure import Found, Trial
from terrafine.models.objects.samples import objects_of
from terrafine.shared.geo import Window


def scene_of(truth):
    truth = np.array(truth, np.uint8)
    return Scene("s", np.zeros((3, *truth.shape), np.uint8), truth)


def disk(side, row, col, radius):
    rows, cols = np.mgrid[:side, :side]
    return (rows - row) ** 2 + (cols - col) ** 2 <= radius**2


def test_objects_are_connected_regions_of_the_wanted_classes_that_are_large_enough():
    truth = [[1, 1, 0, 2], [1, 1, 0, 2], [0, 0, 1, 2], [1, 1, 1, 255]]
    found = objects_of([scene_of(truth)], [1, 2], 3)
    assert [item.window for item in found] == [Window(0, 0, 2, 2), Window(0, 2, 3, 2), Window(3, 0, 1, 3)]
    assert found[1].mask.tolist() == [[False, False, True], [True, True, True]]


def test_the_truth_of_an_object_is_void_where_the_labels_or_the_scene_end():
    target = objects_of([scene_of([[1, 1, 0], [1, 255, 2]])], [1], 3)[0]
    assert target.truth(Window(-1, 0, 4, 2)).tolist() == [[VOID, 1, 1, 0], [VOID, 1, VOID, 0]]


def test_the_first_click_is_the_deepest_place_of_the_object():
    assert clicks.click_inside(disk(21, 10, 12, 6)) == (12.5, 10.5)


def test_in_training_the_first_click_is_anywhere_that_is_half_as_deep():
    mask = disk(41, 20, 20, 15)
    rng = np.random.default_rng(0)
    found = {clicks.click_inside(mask, rng) for _ in range(50)}
    far = [np.hypot(x - 20.5, y - 20.5) for x, y in found]
    assert max(far) <= 8.5
    assert len(found) > 20


def test_the_next_click_is_deepest_in_the_largest_mistake_and_says_on_which_side_that_lies():
    truth = disk(40, 20, 20, 10).astype(np.uint8)
    too_much = disk(40, 20, 20, 10) | disk(40, 5, 34, 4)
    assert clicks.next_click(too_much, truth) == (False, (34.5, 5.5))
    too_little = disk(40, 20, 20, 10) & ~disk(40, 20, 26, 3)
    assert clicks.next_click(too_little, truth) == (True, (26.5, 20.5))
    assert clicks.next_click(truth == 1, truth) is None


def test_a_box_is_as_loose_as_it_is_told_and_a_pixel_at_least():
    assert clicks.loose_box((10.0, 10.0, 30.0, 50.0), np.array([0.1, 0.1, 0.0, 0.5])) == (8.0, 6.0, 31.0, 70.0)


def test_void_pixels_count_for_no_iou():
    truth = np.array([[1, 1, 0, VOID]], np.uint8)
    assert clicks.iou(np.array([[True, False, True, True]]), truth) == pytest.approx(1 / 3)


def test_clicks_are_counted_from_the_box_and_failures_at_the_most():
    trial = Trial(3, (0.5, 0.86, 0.91), (0.1, 0.1, 0.1))
    assert [trial.iou_at(count) for count in (1, 3, 4, 10)] == [0.0, 0.5, 0.86, 0.91]
    assert [trial.clicks_to(iou, 10) for iou in (0.85, 0.90, 0.95)] == [4, 5, 10]
    values = measure.summary([trial, Trial(3, (0.95,), (0.1,))], 10)
    assert (values["iou_3"], values["noc_85"], values["failed_90"]) == (pytest.approx(0.725), 3.5, 0.0)
    assert measure.summary([trial], 10)["failed_90"] == 0.0
    assert measure.summary([Trial(3, (0.2,), (0.1,))], 10)["failed_85"] == 1.0


def test_the_analyst_clicks_until_nothing_is_wrong_and_each_click_is_where_the_mistake_is():
    target = objects_of([scene_of(disk(60, 30, 30, 12))], [1], 100)[0]
    seen = []

    def method(target, guide):
        """Finds the left half first, all of it after a click on what is missing."""
        seen.append(guide)
        mask = target.mask.copy()
        if len(guide.inside) == 1:
            mask[:, mask.shape[1] // 2 :] = False
        return Found(target.window, mask)

    trial = measure.measure(method, target, 10)
    assert trial.ious[0] == pytest.approx(0.5, abs=0.05)
    assert trial.ious[1:] == (1.0,)
    assert seen[1].inside[1][0] > 31
    assert seen[1].box == seen[0].box
