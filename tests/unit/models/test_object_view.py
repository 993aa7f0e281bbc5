"""What a network is shown of an object: its crop and the heat maps of clicks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafine.models.normalise import resized
from terrafine.models.objects.crop import Crop, around_box, restored
from terrafine.models.objects.view import View, corners, heat_map
from terrafine.shared.geo import Window
from terrafine.shared.objects import ObjectGuide

GUIDE = ObjectGuide((10.0, 20.0, 30.0, 40.0), ((20.0, 30.0), (25.0, 35.0)), ((12.0, 22.0),))


def slow_heat_map(points, size_px, fwhm_px):
    """Pixel by pixel, with the standard deviation that belongs to the width at half height."""
    sigma = fwhm_px / (2 * math.sqrt(2 * math.log(2)))
    heat = np.zeros((size_px, size_px))
    for row in range(size_px):
        for col in range(size_px):
            for x, y in points:
                squared = (col + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2
                heat[row, col] = max(heat[row, col], math.exp(-squared / (2 * sigma**2)))
    return heat


@given(
    st.lists(st.tuples(st.floats(-5, 25), st.floats(-5, 25)), max_size=4), st.floats(1, 15),
)  # fmt: skip
def test_a_heat_map_is_that_of_a_gaussian_at_every_point(points, fwhm_px):
    np.testing.assert_allclose(heat_map(tuple(points), 16, fwhm_px), slow_heat_map(points, 16, fwhm_px), atol=1e-6)


def test_half_of_the_width_away_a_heat_map_has_half_of_its_height():
    heat = heat_map(((20.5, 20.5),), 41, 10.0)
    assert heat[20, 20] == 1.0
    assert heat[20, 25] == pytest.approx(0.5)
    assert heat[15, 20] == pytest.approx(0.5)


def test_of_a_box_the_other_two_corners_follow():
    assert corners((1.0, 2.0, 5.0, 9.0)) == ((1.0, 2.0), (5.0, 2.0), (5.0, 9.0), (1.0, 9.0))


def test_a_crop_is_square_around_the_box_with_a_margin_of_its_longer_side():
    assert around_box((10, 20, 30, 60), 0.25, 32) == Crop(Window(-10, 10, 60, 60), 32)


def test_points_move_with_the_crop_and_grow_with_it():
    assert Crop(Window(10, 20, 8, 8), 32).points(((10.0, 20.0), (18.0, 28.0), (12.5, 21.0))) == (
        (0.0, 0.0), (32.0, 32.0), (10.0, 4.0),
    )  # fmt: skip


def test_the_encoder_sees_the_first_click_and_the_corners_whatever_follows():
    view = View(32)
    crop = view.crop(GUIDE)
    first = view.first_clicks(GUIDE, crop)
    np.testing.assert_array_equal(first, view.all_clicks(ObjectGuide(GUIDE.box, GUIDE.inside[:1]), crop))
    inside, outside = (crop.points(points) for points in (GUIDE.inside[:1], corners(GUIDE.box)))
    np.testing.assert_array_equal(first, [heat_map(inside, 32, 10.0), heat_map(outside, 32, 10.0)])


def test_all_clicks_are_the_first_ones_and_those_that_followed():
    view = View(32)
    crop = view.crop(GUIDE)
    inside, outside = crop.points(GUIDE.inside), crop.points((*corners(GUIDE.box), *GUIDE.outside))
    wanted = [heat_map(inside, 32, 10.0), heat_map(outside, 32, 10.0)]
    np.testing.assert_array_equal(view.all_clicks(GUIDE, crop), wanted)


def test_without_a_click_the_middle_of_the_box_is_taken():
    assert ObjectGuide((10.0, 20.0, 30.0, 60.0)).first_inside == (20.0, 40.0)


def test_a_network_without_a_box_sees_the_pixels_around_the_first_click_and_no_corner():
    view = View(32, box=False)
    crop = view.crop(GUIDE)
    assert crop == Crop(Window(4, 14, 32, 32), 32)
    assert not view.first_clicks(GUIDE, crop)[1].any()


@pytest.mark.parametrize("side", [5, 20, 32, 90])
def test_a_smooth_picture_comes_back_from_a_crop_as_it_was(side):
    rows, cols = np.mgrid[:side, :side].astype(np.float32) / side
    picture = (rows + 2 * cols).astype(np.float32)
    back = restored(resized(picture[None], 32)[0], Crop(Window(3, 4, side, side), 32))
    middle = slice(side // 4, -(side // 4))
    np.testing.assert_allclose(back[middle, middle], picture[middle, middle], atol=0.05)


def test_a_guide_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="sides"):
        ObjectGuide((10.0, 10.0, 5.0, 20.0))
    with pytest.raises(ValueError, match="clicks"):
        ObjectGuide((0.0, 0.0, 9.0, 9.0), ((1.0, 1.0),) * 60, ((1.0, 1.0),) * 60)
