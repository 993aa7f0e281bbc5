from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafine.shared.geo import (
    IDENTITY,
    Grid,
    Window,
    blocks,
    bounding,
    buffered,
    contains,
    ground_distance_m,
    gsd_from_corners,
    intersection,
    intersects,
    map_to_pixel,
    pixel_to_map,
    slices,
)

OFFSETS = st.integers(-30, 30)
WINDOWS = st.builds(Window, OFFSETS, OFFSETS, st.integers(0, 30), st.integers(0, 30))
AXIS = st.floats(-10, 10)
ORIGIN = st.floats(-1e6, 1e6)
TRANSFORMS = st.tuples(AXIS, AXIS, ORIGIN, AXIS, AXIS, ORIGIN).filter(lambda t: abs(t[0] * t[4] - t[1] * t[3]) > 0.01)


def pixels(window: Window) -> set[tuple[int, int]]:
    return {(c, r) for c in range(window.col, window.col_end) for r in range(window.row, window.row_end)}


@given(WINDOWS, WINDOWS)
def test_an_intersection_holds_the_pixels_of_both(a, b):
    assert pixels(intersection(a, b)) == pixels(a) & pixels(b)
    assert intersects(a, b) == bool(pixels(a) & pixels(b))


@given(WINDOWS, WINDOWS)
def test_an_intersection_does_not_depend_on_the_order(a, b):
    assert intersection(a, b) == intersection(b, a)


@given(WINDOWS, WINDOWS)
def test_what_is_contained_adds_no_pixels(a, b):
    if contains(a, b):
        assert pixels(b) <= pixels(a)
    elif not b.is_empty:
        assert not pixels(b) <= pixels(a)


@given(WINDOWS, st.data())
def test_a_window_within_another_cuts_its_pixels_out_of_an_array(outer, data):
    col, row = data.draw(st.integers(outer.col, outer.col_end)), data.draw(st.integers(outer.row, outer.row_end))
    width, height = data.draw(st.integers(0, outer.col_end - col)), data.draw(st.integers(0, outer.row_end - row))
    inner = Window(col, row, width, height)
    rows, cols = np.mgrid[outer.row : outer.row_end, outer.col : outer.col_end]
    cut = slices(inner, outer)
    assert cols[cut].shape == inner.shape
    assert set(zip(cols[cut].ravel().tolist(), rows[cut].ravel().tolist())) == pixels(inner)


def test_slices_of_a_window_that_sticks_out_are_refused():
    with pytest.raises(ValueError, match="does not lie inside"):
        slices(Window(-1, 0, 4, 4), Window(0, 0, 8, 8))


@given(st.lists(WINDOWS, max_size=4))
def test_a_bounding_window_is_the_smallest_that_holds_all(windows):
    box = bounding(windows)
    held = set().union(*map(pixels, windows))
    assert held <= pixels(box)
    if held:
        cols, rows = zip(*held)
        assert box == Window(min(cols), min(rows), max(cols) - min(cols) + 1, max(rows) - min(rows) + 1)
    else:
        assert box.is_empty


@given(WINDOWS, st.integers(1, 12))
def test_blocks_tile_a_window_exactly(window, size):
    cut = blocks(window, size)
    assert sum(block.pixels for block in cut) == window.pixels
    assert set().union(*map(pixels, cut)) == pixels(window)


@given(WINDOWS, st.integers(1, 12))
def test_no_block_crosses_a_line_of_the_grid(window, size):
    for block in blocks(window, size):
        assert block.col // size == (block.col_end - 1) // size
        assert block.row // size == (block.row_end - 1) // size


def test_blocks_come_row_by_row():
    upper, lower = [Window(-1, 3, 1, 1), Window(0, 3, 2, 1)], [Window(-1, 4, 1, 2), Window(0, 4, 2, 2)]
    assert blocks(Window(-1, 3, 3, 3), 4) == upper + lower


@given(WINDOWS, st.integers(0, 5))
def test_a_buffered_window_reaches_as_far_on_every_side(window, by):
    grown = buffered(window, by)
    assert (window.col - grown.col, window.row - grown.row) == (by, by)
    assert (grown.col_end - window.col_end, grown.row_end - window.row_end) == (by, by)


def test_a_window_of_negative_size_is_refused():
    with pytest.raises(ValueError, match="negative"):
        Window(0, 0, -1, 3)


@given(TRANSFORMS, st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_map_to_pixel_is_the_inverse_of_pixel_to_map(transform, x, y):
    assert map_to_pixel(transform, *pixel_to_map(transform, x, y)) == pytest.approx((x, y), abs=1e-3)


def test_pixel_coordinates_start_at_the_outer_corner_of_the_first_pixel():
    north_up = (0.5, 0.0, 100.0, 0.0, -0.5, 900.0)
    assert pixel_to_map(north_up, 0, 0) == (100.0, 900.0)
    assert pixel_to_map(north_up, 3.5, 5.5) == (101.75, 897.25)


def test_pixel_to_map_takes_arrays():
    map_x, map_y = pixel_to_map(IDENTITY, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    assert map_x.tolist() == [1.0, 2.0]
    assert map_y.tolist() == [3.0, 4.0]


@pytest.mark.parametrize("transform", [(1.0, 2.0, 0.0, 2.0, 4.0, 0.0), (0.0,) * 6, (math.nan,) * 6])
def test_a_degenerate_transform_cannot_be_inverted(transform):
    with pytest.raises(ValueError, match="degenerate"):
        map_to_pixel(transform, 1.0, 1.0)


def test_a_degree_along_a_meridian_is_111_km():
    assert ground_distance_m(85.5, 27.0, 85.5, 28.0) == pytest.approx(111_195, rel=1e-4)


def test_a_degree_of_longitude_shrinks_with_the_cosine_of_latitude():
    assert ground_distance_m(0, 60, 0.01, 60) == pytest.approx(ground_distance_m(0, 0, 0.01, 0) / 2, rel=1e-4)


def test_the_gsd_is_the_geometric_mean_of_a_pixels_sides():
    metre = 1 / 111_195.08
    assert gsd_from_corners(np.array([[0, 0], [2 * metre, 0], [0, 8 * metre]])) == pytest.approx(4.0, rel=1e-4)


@pytest.mark.parametrize("corners", [[[0, 0], [0, 0], [0, 1]], [[0, 0], [math.nan, 0], [0, 1]], [[math.inf, 0]] * 3])
def test_a_gsd_that_cannot_be_measured_is_none(corners):
    assert gsd_from_corners(np.array(corners, float)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"height": 2**31},
        {"transform": (1.0, 0.0, math.inf, 0.0, 1.0, 0.0)},
        {"gsd_m": 0.0},
        {"gsd_m": math.nan},
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="cannot|not finite"):
        Grid(**{"width": 4, "height": 4, **wrong})


def test_the_window_of_a_grid_is_the_whole_raster():
    assert Grid(7, 5).window == Window(0, 0, 7, 5)
