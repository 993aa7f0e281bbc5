from __future__ import annotations

import numpy as np
import pytest

from terrafine.server.demo.canvas import along, blank, inside, polygon
from terrafine.server.demo.scene import draw
from terrafine.server.demo.things import BUILDING, LAND, ROAD, VEGETATION, WATER, Frame, fill, shadow, spline


@pytest.fixture
def canvas():
    return blank(32, np.random.default_rng(0))


@pytest.fixture(scope="module")
def town():
    return draw(size_px=384)


def test_a_scene_has_every_class(town):
    assert set(np.unique(town.truth)) == {WATER, LAND, ROAD, BUILDING, VEGETATION}


def test_a_scene_is_drawn_again_pixel_by_pixel(town):
    again = draw(size_px=384)
    assert np.array_equal(again.image, town.image)
    assert np.array_equal(again.truth, town.truth)


def test_another_seed_gives_another_scene(town):
    assert not np.array_equal(draw(size_px=384, seed=8).truth, town.truth)


def test_water_is_darker_than_land_in_a_scene(town):
    brightness = town.image.mean(axis=0)
    assert brightness[town.truth == WATER].mean() < brightness[town.truth == LAND].mean() / 3


def test_the_truth_is_where_the_paint_is(canvas):
    corners = Frame((10.0, 20.0), 0.0).box(0, 0, 8, 4)
    fill(canvas, corners, (200, 100, 50), BUILDING)
    painted = canvas.image[..., 0] > 100
    assert painted.sum() == 32
    assert np.array_equal(canvas.truth == BUILDING, painted)


def test_a_shadow_darkens_but_changes_no_class(canvas):
    canvas.paint(np.ones(canvas.shape), (100, 100, 100), LAND)
    shadow(canvas, Frame((20.0, 20.0), 0.0).box(0, 0, 6, 6), 8)
    assert canvas.image.min() < 50
    assert (canvas.truth == LAND).all()


def test_what_lies_outside_the_canvas_is_not_painted(canvas):
    fill(canvas, Frame((-50.0, 10.0), 0.0).box(0, 0, 8, 8), (200, 100, 50), BUILDING)
    assert not canvas.image.any()


def test_half_a_pixel_is_covered_by_half(canvas):
    area = polygon(canvas, np.array([(4.0, 4.0), (8.5, 4.0), (8.5, 8.0), (4.0, 8.0)]))
    assert area[5, 5] == 1
    assert 0.25 < area[5, 8] < 0.8


def test_pixels_know_how_far_beside_a_straight_curve_they_lie(canvas):
    beside = along(canvas, spline(np.array([(0.0, 16.0), (31.0, 16.0)])), reach=6)
    assert beside.across[18, 10] == pytest.approx(2.5, abs=0.01)
    assert beside.across[13, 10] == pytest.approx(-2.5, abs=0.01)
    assert beside.length[16, 10] == pytest.approx(10.5, abs=0.5)
    assert np.isinf(beside.across[28, 10])


def test_coverage_falls_from_one_to_none_over_one_pixel():
    assert inside(np.array([-2.0, -0.5, 0.0, 0.5, 2.0])).tolist() == [1, 1, 0.5, 0, 0]
