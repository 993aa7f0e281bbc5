from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafine.shared.geo import Window, intersection, intersects
from terrafine.shared.tiles import TileGrid

GRIDS = st.integers(1, 24).flatmap(
    lambda tile: st.builds(TileGrid, st.integers(1, 90), st.integers(1, 90), st.just(tile), st.integers(0, tile // 2))
)


@given(GRIDS, st.builds(Window, *[st.integers(-30, 99)] * 2, *[st.integers(0, 60)] * 2))
def test_a_plan_holds_exactly_the_tiles_that_share_a_pixel_of_the_raster_with_the_window(grid, window):
    inside = intersection(window, grid.window)
    assert grid.plan(window) == [tile for tile in grid.plan(grid.window) if intersects(tile, inside)]


@given(GRIDS)
def test_tiles_start_at_the_origin_and_end_with_the_first_that_holds_the_last_pixel(grid):
    tiles = grid.plan(grid.window)
    cols, rows = sorted({tile.col for tile in tiles}), sorted({tile.row for tile in tiles})
    for starts, size in ((cols, grid.width), (rows, grid.height)):
        assert starts == [place * grid.step_px for place in range(len(starts))]
        assert [start for start in starts if start + grid.tile_px >= size] == starts[-1:]
    assert tiles == [Window(col, row, grid.tile_px, grid.tile_px) for row in rows for col in cols]


@pytest.mark.parametrize(("size", "tiles"), [(1, 1), (400, 1), (512, 1), (513, 4), (896, 4), (897, 9), (2048, 25)])
def test_no_more_tiles_than_it_takes(size, tiles):
    grid = TileGrid(size, size, 512, 128)
    assert len(grid.plan(grid.window)) == tiles


def test_a_window_outside_the_raster_needs_no_tiles():
    grid = TileGrid(20, 20, 16, 4)
    assert grid.plan(Window(20, 0, 4, 4)) == []
    assert grid.plan(Window(-4, 0, 4, 4)) == []
    assert grid.plan(Window(5, 5, 0, 9)) == []


def test_the_rim_of_the_raster_counts_fully_where_no_neighbour_shares_it():
    grid = TileGrid(20, 10, 16, 4)
    left, right = grid.plan(grid.window)
    assert (grid.weights(left)[:, :12] == 1).all()
    assert (grid.weights(right)[:, 4:] == 1).all()
    np.testing.assert_allclose(grid.weights(left)[0, 12:], [0.875, 0.625, 0.375, 0.125])


def test_without_overlap_every_pixel_of_a_tile_counts_fully():
    grid = TileGrid(20, 20, 8, 0)
    assert all((grid.weights(tile) == 1).all() for tile in grid.plan(grid.window))


def test_weights_cannot_be_changed_by_a_caller():
    with pytest.raises(ValueError, match="read-only"):
        TileGrid(8, 8, 8, 4).weights(Window(0, 0, 8, 8))[0, 0] = 5


@pytest.mark.parametrize("sizes", [(0, 0), (16, 9), (16, -2)])
def test_impossible_overlaps_are_refused(sizes):
    with pytest.raises(ValueError, match="overlap"):
        TileGrid(4, 4, *sizes)


def test_a_raster_without_pixels_is_refused():
    with pytest.raises(ValueError, match="0 x 4"):
        TileGrid(0, 4, 16, 4)
