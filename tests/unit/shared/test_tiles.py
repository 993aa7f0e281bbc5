from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafine.shared.geo import Window, contains, intersects, slices
from terrafine.shared.tiles import Blender, plan, weights

SIZES = st.integers(1, 24).flatmap(
    lambda tile: st.tuples(st.just(tile), st.integers(0, tile // 4).map(lambda half: 2 * half))
)
OFFSETS = st.integers(-60, 60)
WINDOWS = st.builds(Window, OFFSETS, OFFSETS, st.integers(1, 40), st.integers(1, 40))


def scene(tile: Window) -> np.ndarray:
    """A different float in every pixel, which also differs from tile to tile."""
    rows, cols = np.mgrid[tile.row : tile.row_end, tile.col : tile.col_end]
    return np.sin(rows * 1.7 + cols * 0.3 + tile.col * 5.1 + tile.row * 9.7)[None].astype(np.float32)


def blended(window: Window, tile_px: int, overlap_px: int) -> np.ndarray:
    blender = Blender(window, 1, overlap_px)
    for tile in plan(window, tile_px, overlap_px):
        blender.feed(tile, scene(tile))
    return blender.data


@given(WINDOWS, SIZES)
def test_the_weights_over_any_pixel_sum_to_one(window, sizes):
    blender = Blender(window, 2, sizes[1])
    for tile in plan(window, *sizes):
        blender.feed(tile, np.ones((2, *tile.shape), np.float32))
    assert np.abs(blender.data - 1).max() < 1e-6


@given(WINDOWS, SIZES, st.data())
def test_the_result_does_not_depend_on_the_window_asked_for(window, sizes, data):
    col = data.draw(st.integers(window.col, window.col_end - 1))
    row = data.draw(st.integers(window.row, window.row_end - 1))
    part = Window(
        col, row, data.draw(st.integers(1, window.col_end - col)), data.draw(st.integers(1, window.row_end - row))
    )
    rows, cols = slices(part, window)
    assert np.array_equal(blended(part, *sizes), blended(window, *sizes)[:, rows, cols])


@given(WINDOWS, SIZES)
def test_a_plan_holds_exactly_the_tiles_of_the_grid_that_meet_the_window(window, sizes):
    tile_px, overlap_px = sizes
    step = tile_px - overlap_px
    planned = plan(window, tile_px, overlap_px)
    cols, rows = {tile.col for tile in planned}, {tile.row for tile in planned}
    assert all((start + overlap_px) % step == 0 for start in cols | rows)
    assert all(intersects(tile, window) and tile.shape == (tile_px, tile_px) for tile in planned)
    assert min(cols) - step + tile_px <= window.col
    assert min(rows) - step + tile_px <= window.row
    assert max(cols) + step >= window.col_end
    assert max(rows) + step >= window.row_end
    assert planned == [Window(col, row, tile_px, tile_px) for row in sorted(rows) for col in sorted(cols)]
    assert len(cols) == (max(cols) - min(cols)) // step + 1


def test_an_empty_window_needs_no_tiles():
    assert plan(Window(5, 5, 0, 9), 16, 4) == []


def test_a_raster_of_one_pixel_needs_one_tile_that_reaches_outside_it():
    (tile,) = plan(Window(0, 0, 1, 1), 16, 4)
    assert tile == Window(-4, -4, 16, 16)
    assert contains(tile, Window(0, 0, 1, 1))


def test_without_overlap_every_pixel_of_a_tile_counts_fully():
    assert (weights(8, 0) == 1).all()


def test_weights_cannot_be_changed_by_a_caller():
    with pytest.raises(ValueError, match="read-only"):
        weights(8, 4)[0, 0] = 5


@pytest.mark.parametrize("sizes", [(0, 0), (16, 3), (16, 10), (16, -2)])
def test_impossible_overlaps_are_refused(sizes):
    with pytest.raises(ValueError, match="overlap"):
        plan(Window(0, 0, 4, 4), *sizes)


def test_values_that_do_not_fit_their_tile_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        Blender(Window(0, 0, 4, 4), 1, 0).feed(Window(0, 0, 8, 8), np.zeros((1, 8, 4), np.float32))


def test_a_tile_outside_the_window_changes_nothing():
    blender = Blender(Window(0, 0, 4, 4), 1, 0)
    blender.feed(Window(8, 8, 8, 8), np.ones((1, 8, 8), np.float32))
    assert not blender.data.any()
