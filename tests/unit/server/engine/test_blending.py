"""Tiles blended into a map, against hand-worked sums."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from terrafine.server.engine.blending import Blender, most_likely
from terrafine.shared.geo import Window, slices
from terrafine.shared.tiles import TileGrid

GRIDS = st.integers(1, 24).flatmap(
    lambda tile: st.builds(TileGrid, st.integers(1, 90), st.integers(1, 90), st.just(tile), st.integers(0, tile // 2))
)


@st.composite
def parts_of(draw: st.DrawFn, whole: Window) -> Window:
    """A window that is not empty, inside `whole`."""
    col, row = draw(st.integers(whole.col, whole.col_end - 1)), draw(st.integers(whole.row, whole.row_end - 1))
    return Window(col, row, draw(st.integers(1, whole.col_end - col)), draw(st.integers(1, whole.row_end - row)))


CPU = torch.device("cpu")


def scene(tile: Window) -> torch.Tensor:
    """A different half in every pixel, which also differs from tile to tile."""
    rows, cols = np.mgrid[tile.row : tile.row_end, tile.col : tile.col_end]
    return torch.from_numpy(np.sin(rows * 1.7 + cols * 0.3 + tile.col * 5.1 + tile.row * 9.7)[None].astype(np.float16))


def blended(grid: TileGrid, window: Window) -> np.ndarray:
    blender = Blender(grid, window, 1, CPU)
    for tile in grid.plan(window):
        blender.feed(tile, scene(tile))
    return blender.data.numpy()


@given(GRIDS)
def test_the_weights_over_any_pixel_of_the_raster_sum_to_one(grid):
    blender = Blender(grid, grid.window, 2, CPU)
    for tile in grid.plan(grid.window):
        blender.feed(tile, torch.ones(2, *tile.shape).half())
    assert (blender.data - 1).abs().max() < 1e-6


@given(GRIDS, st.data())
def test_the_result_does_not_depend_on_the_window_asked_for(grid, data):
    window = data.draw(parts_of(grid.window))
    rows, cols = slices(window, grid.window)
    assert np.array_equal(blended(grid, window), blended(grid, grid.window)[:, rows, cols])


@pytest.mark.parametrize(("tile", "shape"), [(Window(0, 0, 8, 8), (1, 8, 4)), (Window(0, 0, 4, 4), (1, 4, 4))])
def test_values_that_do_not_fit_their_tile_are_refused(tile, shape):
    with pytest.raises(ValueError, match="do not fit"):
        Blender(TileGrid(4, 4, 8, 0), Window(0, 0, 4, 4), 1, CPU).feed(tile, torch.zeros(shape).half())


def test_a_tile_outside_the_window_changes_nothing():
    blender = Blender(TileGrid(16, 16, 8, 0), Window(0, 0, 4, 4), 1, CPU)
    blender.feed(Window(8, 8, 8, 8), torch.ones(1, 8, 8).half())
    assert not blender.data.any()


@given(GRIDS, st.data())
def test_the_sum_is_that_of_a_slow_loop(grid, data):
    window = data.draw(parts_of(grid.window))
    expected = np.zeros((1, *window.shape))
    for tile in grid.plan(window):
        values, weights = scene(tile)[0], grid.weights(tile)
        for row in range(max(tile.row, window.row), min(tile.row_end, window.row_end)):
            for col in range(max(tile.col, window.col), min(tile.col_end, window.col_end)):
                at = row - tile.row, col - tile.col
                expected[0, row - window.row, col - window.col] += float(values[at]) * weights[at]
    np.testing.assert_allclose(blended(grid, window), expected, atol=1e-6)


@given(arrays(np.float32, st.tuples(st.integers(1, 9), st.just(3), st.just(4)), elements=st.integers(-2, 2)))
def test_the_most_likely_class_is_the_first_of_the_largest(logits):
    np.testing.assert_array_equal(most_likely(torch.from_numpy(logits)), logits.argmax(0))


def test_the_last_of_all_classes_can_be_the_most_likely():
    logits = np.zeros((256, 2, 2), np.float32)
    logits[255, 1, 1] = 1.0
    np.testing.assert_array_equal(most_likely(torch.from_numpy(logits)), [[0, 0], [0, 255]])
