from __future__ import annotations

import numpy as np
import pytest

from terrafine.shared.errors import TooLarge, UnusableModel, UnusableRaster
from terrafine.shared.geo import Grid
from terrafine.shared.raster import RasterInfo, check_dtype, check_fit, choose_bands, stretch_range
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

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
        {"dtype": "uint8", "palette": ()},
        {"dtype": "uint8", "palette": ((0, 0, 0),) * 257},
        {"dtype": "uint8", "palette": ((0, 0, 256),)},
    ],
)
def test_a_description_that_makes_no_sense_is_refused(wrong):
    right = {"grid": Grid(4, 4), "dtype": "uint16", "bands": (1, 2), "ranges": ((0.0, 1.0), (0.0, 1.0))}
    with pytest.raises(UnusableRaster):
        RasterInfo(**{**right, **wrong})


def test_a_colour_table_of_16_bits_is_refused_with_the_way_out():
    with pytest.raises(UnusableRaster, match="uint16") as caught:
        RasterInfo(Grid(4, 4), "uint16", (1,) * 3, ((0.0, 1.0),) * 3, palette=((1, 2, 3),))
    assert "-expand rgb" in caught.value.hint


def spec_of(*bands):
    classes = (LandCover(0, "a", "#000000"), LandCover(1, "b", "#ffffff"))
    normalisation = Normalisation((0.0,) * len(bands), (1.0,) * len(bands))
    return ModelSpec("m", "m", "linknet", "mobilenet_v2_same", bands, classes, 1.0, normalisation)


def test_a_colour_table_fits_a_model_of_three_bands_only():
    palette = ((1, 2, 3),)
    check_fit(RasterInfo(Grid(4, 4), "uint8", (1,) * 3, ((0.0, 255.0),) * 3, palette), spec_of(*RGB))
    with pytest.raises(UnusableModel, match="colour table"):
        check_fit(RasterInfo(Grid(4, 4), "uint8", (1,), ((0.0, 255.0),), palette), spec_of("red"))


def test_a_raster_must_offer_as_many_bands_as_the_model_needs():
    with pytest.raises(UnusableModel, match="needs 3"):
        check_fit(RasterInfo(Grid(4, 4), "uint8", (1, 2), ((0.0, 255.0),) * 2), spec_of(*RGB))


def test_a_raster_too_large_to_plan_for_is_refused():
    with pytest.raises(TooLarge):
        check_fit(RasterInfo(Grid(2**19, 2**18), "uint8", (1,), ((0.0, 255.0),)), spec_of("red"))
