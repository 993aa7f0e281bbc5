from __future__ import annotations

import numpy as np
import pytest

from terrafine.shared.errors import UnusableModel, UnusableRaster
from terrafine.shared.geo import Grid
from terrafine.shared.raster import RasterInfo, check_dtype, choose_bands, stretch_range

RGB = ("red", "green", "blue")


def test_bands_are_found_by_name():
    assert choose_bands(4, RGB, ("nir", "blue", "green", "red")) == (4, 3, 2)


def test_without_all_names_the_first_bands_are_taken_in_order():
    assert choose_bands(4, RGB, ("red", "", "", "nir")) == (1, 2, 3)


def test_a_single_band_feeds_all():
    assert choose_bands(1, RGB, ("",)) == (1, 1, 1)


def test_an_explicit_choice_wins():
    assert choose_bands(4, RGB, RGB, wanted=(4, 1, 2)) == (4, 1, 2)


@pytest.mark.parametrize(("count", "wanted"), [(2, ()), (4, (1, 2)), (4, (1, 2, 5)), (4, (0, 1, 2))])
def test_bands_that_do_not_fit_are_refused(count, wanted):
    with pytest.raises(UnusableModel, match="needs 3 bands"):
        choose_bands(count, RGB, ("",) * count, wanted)


def test_a_name_of_a_band_that_is_not_spectral_is_not_found():
    assert choose_bands(3, RGB, ("", "", "", "red", "green", "blue")) == (1, 2, 3)


def test_eight_bits_are_shown_as_they_are():
    assert stretch_range(np.array([100, 120]), "uint8") == (0.0, 255.0)


def test_other_types_are_stretched_between_percentiles():
    assert stretch_range(np.arange(1001), "uint16") == pytest.approx((20.0, 980.0))


def test_values_that_are_no_numbers_do_not_count():
    values = np.append(np.arange(1001.0), [np.nan, np.inf])
    assert stretch_range(values, "float32") == pytest.approx((20.0, 980.0))


@pytest.mark.parametrize("values", [[], [7.0, 7.0], [np.nan], [1e20, 1e20]])
def test_a_flat_or_empty_band_has_a_range_all_the_same(values):
    low, high = stretch_range(np.array(values), "float32")
    assert low < high


def test_complex_numbers_are_refused_with_a_hint():
    with pytest.raises(UnusableRaster) as caught:
        check_dtype("complex64")
    assert "amplitude" in caught.value.hint


def test_each_band_of_the_file_travels_once():
    info = RasterInfo(Grid(4, 4), "uint8", (3, 1, 3), ((0.0, 1.0),) * 3)
    assert info.file_bands == (1, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"bands": ()},
        {"bands": (0, 1)},
        {"ranges": ((0.0, 1.0),)},
        {"ranges": ((0.0, 1.0), (2.0, 2.0))},
        {"ranges": ((0.0, 1.0), (2.0, float("inf")))},
        {"dtype": "bool"},
    ],
)
def test_a_description_that_makes_no_sense_is_refused(wrong):
    right = {"grid": Grid(4, 4), "dtype": "uint16", "bands": (1, 2), "ranges": ((0.0, 1.0), (0.0, 1.0))}
    with pytest.raises(UnusableRaster):
        RasterInfo(**{**right, **wrong})
