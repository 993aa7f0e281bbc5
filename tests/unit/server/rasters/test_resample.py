from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from terrafine.server.rasters.resample import source_window, to_model, to_raster
from terrafine.server.rasters.tiling import Tiling, sampled
from terrafine.shared.geo import Window, intersection, slices

RASTER = Window(0, 0, 64, 48)
ALL = np.ones(RASTER.shape, bool)
SCALES = st.sampled_from([1.0, 0.37, 1 / 16, 2.5, 3.9])


def resampled(values: np.ndarray, valid: np.ndarray, window: Window, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """As the engine does it: only the pixels that are needed are read."""
    source = intersection(source_window(window, scale), RASTER)
    rows, cols = slices(source, RASTER)
    return to_model(values[:, rows, cols], valid[rows, cols], source, window, scale)


@given(SCALES, st.integers(0, 20), st.integers(0, 20), st.integers(1, 12), st.integers(1, 12))
def test_resampling_a_part_gives_that_part_of_the_result(
    scale: float, col: int, row: int, width: int, height: int
) -> None:
    rng = np.random.default_rng(0)
    values, valid = rng.random((2, *RASTER.shape), np.float32), rng.random(RASTER.shape) < 0.7
    whole = Window(-2, -3, 40, 45) if scale > 0.3 else Window(0, 0, 4, 3)
    part = intersection(Window(whole.col + col, whole.row + row, width, height), whole)
    assume(not intersection(source_window(part, scale), RASTER).is_empty)
    image, seen = resampled(values, valid, whole, scale)
    rows, cols = slices(part, whole)
    part_image, part_seen = resampled(values, valid, part, scale)
    np.testing.assert_array_equal(part_image, image[:, rows, cols])
    np.testing.assert_array_equal(part_seen, seen[rows, cols])


@given(st.floats(0.07, 4.0))
def test_a_flat_raster_stays_flat(scale: float) -> None:
    image, seen = resampled(np.full((1, *RASTER.shape), 0.3, np.float32), ALL, Window(0, 0, 3, 3), scale)
    assert seen.all()
    np.testing.assert_allclose(image, 0.3, rtol=1e-5)


@pytest.mark.parametrize("scale", [0.5, 0.25, 2.0])
def test_it_is_pillows_bilinear_filter(scale: float) -> None:
    values = np.random.default_rng(1).random(RASTER.shape, np.float32)
    size = round(RASTER.width * scale), round(RASTER.height * scale)
    theirs = np.asarray(Image.fromarray(values, "F").resize(size, Image.Resampling.BILINEAR))
    ours, _ = resampled(values[None], ALL, Window(0, 0, *size), scale)
    np.testing.assert_allclose(ours[0], theirs, atol=1e-5)


def test_nodata_does_not_bleed_into_its_neighbours() -> None:
    values = np.full((1, *RASTER.shape), 0.2, np.float32)
    valid = np.ones(RASTER.shape, bool)
    values[0, 20:30, 20:30], valid[20:30, 20:30] = 1e6, False
    image, seen = resampled(values, valid, Window(0, 0, 22, 18), 0.37)
    np.testing.assert_allclose(image[0][seen], 0.2, rtol=1e-4)
    assert not seen[9, 9]


def test_at_the_same_scale_pixels_are_copied_and_the_outside_is_empty() -> None:
    values = np.random.default_rng(2).random((1, *RASTER.shape), np.float32)
    image, seen = resampled(values, ALL, Window(-1, -1, 4, 4), 1.0)
    np.testing.assert_array_equal(image[:, 1:, 1:], values[:, :3, :3])
    assert not seen[0].any()
    assert not image[:, :, 0].any()


@given(SCALES, st.integers(0, 55), st.integers(0, 39), st.integers(1, 9), st.integers(1, 9))
def test_sampling_a_part_gives_that_part_of_the_map(scale: float, col: int, row: int, width: int, height: int) -> None:
    tiling = Tiling(RASTER.width, RASTER.height, scale, 64, 16, 4.0)
    logits = np.random.default_rng(3).random((2, *tiling.model_window.shape), np.float32)

    def mapped(window: Window) -> np.ndarray:
        needed = sampled(tiling, window)
        rows, cols = slices(needed, tiling.model_window)
        part = torch.from_numpy(logits[:, rows, cols])
        return to_raster(part, needed, window, scale, tiling.model_window).numpy()

    rows, cols = slices(Window(col, row, width, height), RASTER)
    np.testing.assert_array_equal(mapped(Window(col, row, width, height)), mapped(RASTER)[:, rows, cols])


def test_a_ramp_on_the_model_grid_is_sampled_at_the_raster_pixels_centres() -> None:
    model = Window(0, 0, 20, 1)
    ramp = (np.arange(20, dtype=np.float32) + 0.5)[None, None]  # the x of the model pixels' centres
    out = to_raster(torch.from_numpy(ramp), model, Window(2, 0, 5, 1), 2.0, model)
    np.testing.assert_allclose(out[0, 0], 2.0 * (np.arange(2, 7) + 0.5))
