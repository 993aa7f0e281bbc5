"""Raw values to network input, by hand."""

from __future__ import annotations

import numpy as np

from terrafine.models.normalise import to_network, to_unit
from terrafine.shared.geo import Grid
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

GRID = Grid(2, 1)
SPEC = ModelSpec(
    "m", "m", "linknet", "mobilenet_v2_same", ("red", "green"),
    (LandCover(0, "a", "#000000"), LandCover(1, "b", "#ffffff")), 1.0, Normalisation((0.5, 0.25), (0.5, 0.25)),
)  # fmt: skip


def test_bands_are_reordered_and_stretched_by_their_own_ranges():
    info = RasterInfo(GRID, "uint16", (3, 1), ((0.0, 1000.0), (100.0, 300.0)))
    values = np.array([[[100, 200]], [[0, 2000]]], np.uint16)  # file bands 1 and 3
    assert np.allclose(to_unit(values, info), [[[0.0, 1.0]], [[0.0, 0.5]]])


def test_a_single_band_feeds_all_channels():
    info = RasterInfo(GRID, "uint8", (1, 1, 1), ((0.0, 255.0),) * 3)
    unit = to_unit(np.array([[[0, 255]]], np.uint8), info)
    assert unit.shape == (3, 1, 2)
    assert (unit[:, 0] == [0.0, 1.0]).all()


def test_a_palette_is_shown_as_its_colours():
    info = RasterInfo(GRID, "uint8", (1, 1, 1), ((0.0, 255.0),) * 3, palette=((0, 0, 0), (255, 51, 0)))
    unit = to_unit(np.array([[[1, 0]]], np.uint8), info)
    assert np.allclose(unit[:, 0, 0], [1.0, 0.2, 0.0])
    assert not unit[:, 0, 1].any()


def test_a_value_beyond_the_palette_is_black():
    info = RasterInfo(GRID, "uint8", (1, 1, 1), ((0.0, 255.0),) * 3, palette=((9, 9, 9),))
    assert not to_unit(np.array([[[200, 255]]], np.uint8), info).any()


def test_not_a_number_becomes_a_number():
    info = RasterInfo(GRID, "float32", (1,), ((0.0, 1.0),))
    assert np.isfinite(to_unit(np.array([[[np.nan, np.inf]]], np.float32), info)).all()


def test_network_input_is_standardised_and_zero_where_there_is_no_data():
    unit = np.array([[[1.0, 1.0]], [[0.5, 0.5]]], np.float32)
    result = to_network(unit, np.array([[True, False]]), SPEC)
    assert np.allclose(result, [[[1.0, 0.0]], [[1.0, 0.0]]])
    assert result.dtype == np.float32
