"""Side information as channels: by hand, against a slow loop, and the property that all encodings have."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terrafine.models.encoding.channels import channels_of, count, side_channels
from terrafine.models.encoding.encode import encode
from terrafine.models.simulate import noisy_scores
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import UnusableModel
from terrafine.shared.geo import Window, slices
from terrafine.shared.side import NOWHERE, SideFields, SideInformation
from terrafine.shared.spec import EncodingSpec, LandCover, ModelSpec, Normalisation, dumps, loads

FIELDS = SideFields(("height", "noise"), (10.0, 0.0), (5.0, 0.5))
CLASSES = (LandCover(0, "a", "#000000"), LandCover(1, "b", "#ffffff"))
SPEC = ModelSpec(
    "m", "M", "sideinfnet", "mobilenet_v2_same", ("red",), CLASSES, 1.0, Normalisation((0.5,), (0.5,)),
    EncodingSpec("onehot", 1.0), side=FIELDS,
)  # fmt: skip


def told(*rows):
    points, values = [row[:2] for row in rows], [row[2:] for row in rows]
    return SideInformation(np.array(points, np.float32), np.array(values, np.float32))


def test_a_point_lies_in_its_pixel_normalised_and_one_channel_says_that_it_is_there():
    found = side_channels(told((6.9, 3.2, 10.0, 1.0)), FIELDS, Window(4, 2, 5, 3))
    assert found[:, 1, 2].tolist() == [0.0, 2.0, 1.0]
    assert np.count_nonzero(found) == 2


def test_points_that_share_a_pixel_are_averaged():
    found = side_channels(told((1.1, 1.1, 20.0, 0.0), (1.9, 1.9, 10.0, 0.0)), FIELDS, Window(0, 0, 3, 3))
    assert found[:, 1, 1].tolist() == [1.0, 0.0, 1.0]


def test_on_a_coarser_model_grid_more_points_share_a_pixel():
    found = side_channels(told((1.0, 1.0, 20.0, 0.0), (7.0, 7.0, 10.0, 0.0)), FIELDS, Window(0, 0, 1, 1), 0.125)
    assert found[:, 0, 0].tolist() == [1.0, 0.0, 1.0]


def slow_channels(side, window):
    found = np.zeros((3, *window.shape))
    for row, col in np.ndindex(window.shape):
        inside = [
            values
            for (x, y), values in zip(side.points, side.values)
            if col <= x - window.col < col + 1 and row <= y - window.row < row + 1
        ]
        if inside:
            found[:, row, col] = (*((np.mean(inside, axis=0) - FIELDS.mean) / FIELDS.std), 1.0)
    return found


number = st.integers(-1920, 1920).map(lambda steps: steps / 64)  # exact: -1e-44 + 9 is the next pixel's border
sides = st.lists(st.tuples(number, number, number, number), min_size=1, max_size=20).map(lambda rows: told(*rows))


@settings(max_examples=30)
@given(sides)
def test_they_agree_with_a_slow_loop(side):
    window = Window(-9, 4, 12, 10)
    np.testing.assert_allclose(side_channels(side, FIELDS, window), slow_channels(side, window), atol=1e-4)


@settings(max_examples=30)
@given(sides, st.floats(0.3, 3), st.integers(0, 20), st.integers(0, 20))
def test_those_of_a_sub_window_are_the_sub_window_of_those(side, scale, col, row):
    full, sub = Window(-10, -10, 30, 30), Window(col - 10, row - 10, 10, 10)
    whole = side_channels(side, FIELDS, full, scale)
    assert np.array_equal(side_channels(side, FIELDS, sub, scale), whole[(slice(None), *slices(sub, full))])


def test_marks_come_first_and_stay_what_they_are():
    mark, window = Annotation("p", "point", ((2.5, 2.5),), 1), Window(0, 0, 4, 4)
    found = channels_of(SPEC, [mark], window, side=told((0.5, 0.5, 15.0, 0.0)))
    assert len(found) == count(SPEC) == 5
    assert np.array_equal(found[:2], encode([mark], window, SPEC.encoding, 2))
    assert found[2:, 0, 0].tolist() == [1.0, 0.0, 1.0]
    plain = dataclasses.replace(SPEC, side=SideFields())
    assert np.array_equal(channels_of(plain, [mark], window), found[:2])
    assert not channels_of(SPEC, [], window, side=NOWHERE).any()


def test_a_description_keeps_its_fields():
    assert loads(dumps(SPEC)) == SPEC


@pytest.mark.parametrize(
    "fields", [(("a",), (), (1.0,)), (("a",), (0.0,), (0.0,)), (("a", "a"), (0.0, 0.0), (1.0, 1.0))]
)
def test_fields_that_make_no_sense_are_refused(fields):
    with pytest.raises(UnusableModel):
        SideFields(*fields)


@pytest.mark.parametrize(
    ("points", "values"),
    [
        (np.zeros((2, 3), np.float32), np.zeros((2, 1), np.float32)),
        (np.zeros((2, 2), np.float32), np.zeros((3, 1), np.float32)),
        (np.zeros((2, 2), np.float64), np.zeros((2, 1), np.float32)),
        (np.full((2, 2), np.nan, np.float32), np.zeros((2, 1), np.float32)),
    ],
)
def test_numbers_that_do_not_fit_together_are_refused(points, values):
    with pytest.raises(ValueError, match="points|values"):
        SideInformation(points, values)


def test_equal_numbers_have_equal_digests_and_others_have_others():
    assert told((1.0, 1.0, 2.0)).digest == told((1.0, 1.0, 2.0)).digest != told((1.0, 1.0, 3.0)).digest
    assert NOWHERE.digest == ""


def test_noisy_scores_are_those_of_the_truth_on_average():
    truth = np.full((20, 30), 255, np.uint8)
    truth[:, :10], truth[:, 10:20] = 0, 1
    side = noisy_scores(truth, 4000, 0.5, 2, np.random.default_rng(0))
    left = side.points[:, 0] < 10
    assert side.points[:, 0].max() < 20
    assert side.values[left].mean(axis=0) == pytest.approx([1.0, 0.0], abs=0.05)
    assert side.values[~left].mean(axis=0) == pytest.approx([0.0, 1.0], abs=0.05)
    assert side.values[left].std() == pytest.approx(np.sqrt(0.5), abs=0.05)
