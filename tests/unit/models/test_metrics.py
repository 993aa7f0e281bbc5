from __future__ import annotations

import math

import numpy as np
import pytest

from terrafine.models.metrics import VOID, accuracy, confusion, iou, mean_height, mean_iou

TRUTH = np.array([[0, 0, 1, 1], [2, 2, VOID, 1]], np.uint8)
MAP = np.array([[0, 1, 1, 1], [2, 0, 2, 255]], np.uint8)
MATRIX = np.array([[1, 1, 0], [0, 2, 0], [1, 0, 1]])


def test_rows_are_the_truth_and_void_and_no_data_are_left_out():
    assert np.array_equal(confusion(TRUTH, MAP, 3), MATRIX)


def test_iou_by_hand():
    assert iou(MATRIX) == pytest.approx([1 / 3, 2 / 3, 1 / 2])


def test_the_mean_counts_classes_that_occur_in_the_truth_only():
    matrix = np.array([[3, 0, 1], [0, 2, 0], [0, 0, 0]])
    assert mean_iou(matrix) == pytest.approx((3 / 4 + 1) / 2)
    assert mean_iou(MATRIX, 2) == pytest.approx((1 / 3 + 2 / 3) / 2)


def test_accuracy_is_the_share_of_right_pixels():
    assert accuracy(MATRIX) == pytest.approx(4 / 6)
    assert math.isnan(accuracy(np.zeros((2, 2), np.int64)))


def test_the_mean_height_of_a_curve_is_the_area_under_it_by_its_width():
    curve = np.array([0.0, 1.0, 1.0])
    assert mean_height(curve, np.array([0.0, 1.0, 2.0])) == pytest.approx(0.75)
    assert mean_height(curve, np.array([0.0, 1.0, 10.0])) == pytest.approx(0.95)
    assert mean_height(np.stack([curve, 2 * curve]), np.arange(3.0)) == pytest.approx([0.75, 1.5])
    assert mean_height(np.array([0.4]), np.zeros(1)) == pytest.approx(0.4)
