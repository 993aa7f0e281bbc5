from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp

from terrafine.server.rasters.raster_io import open_raster
from terrafine.shared.errors import NotFound, UnusableModel, UnusableRaster
from terrafine.shared.geo import IDENTITY, Window
from terrafine.shared.spec import Normalisation

HALF_METRE = rasterio.Affine(0.5, 0, 350000, 0, -0.5, 2780000)
UTM40 = CRS.from_epsg(32640)
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")  # of the tests' own writing
RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (3, 20, 30), np.uint8)
WHOLE = Window(0, 0, 30, 20)


def test_values_come_as_they_are_in_the_file(tmp_path: Path, write_raster, spec) -> None:
    with open_raster(write_raster(tmp_path / "a.tif", RGB, crs=UTM40, transform=HALF_METRE), spec) as raster:
        patch = raster.read(Window(4, 5, 6, 7))
    np.testing.assert_array_equal(patch.array, RGB[:, 5:12, 4:10])
    assert patch.valid.all()


def test_a_window_outside_the_raster_is_a_mistake_of_the_caller(tmp_path: Path, write_raster, spec) -> None:
    with open_raster(write_raster(tmp_path / "a.tif", RGB), spec) as raster, pytest.raises(ValueError, match="outside"):
        raster.read(Window(25, 0, 6, 1))


@pytest.mark.parametrize("name", ["with a space.tif", "ünïcödé é.tif", "v1.2.final.tif", "100%.tif", "#1 [x].tif"])
def test_odd_names_work(tmp_path: Path, write_raster, spec, name: str) -> None:
    with open_raster(write_raster(tmp_path / name, RGB), spec) as raster:
        assert raster.info.name == name
        np.testing.assert_array_equal(raster.read(WHOLE).array, RGB)


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path, spec) -> None:
    with pytest.raises(NotFound, match=r"nix\.tif"):
        open_raster(tmp_path / "nix.tif", spec)


def test_a_file_that_is_no_raster_is_unusable(tmp_path: Path, spec) -> None:
    (tmp_path / "a.tif").write_text("hello")
    with pytest.raises(UnusableRaster, match="a.tif"):
        open_raster(tmp_path / "a.tif", spec)


def test_complex_values_are_refused(tmp_path: Path, write_raster, spec) -> None:
    path = write_raster(tmp_path / "a.tif", np.ones((1, 4, 4), np.complex64))
    with pytest.raises(UnusableRaster, match="complex"):
        open_raster(path, spec)


def test_a_damaged_part_is_named_when_it_is_read(tmp_path: Path, write_raster, spec) -> None:
    image = RNG.integers(0, 256, (3, 64, 64), np.uint8)
    path = write_raster(tmp_path / "a.tif", image, tiled=True, blockxsize=32, blockysize=32, compress="deflate")
    path.write_bytes(path.read_bytes()[:-3000])
    with open_raster(path, spec) as raster:
        raster.read(Window(0, 0, 32, 32))
        with pytest.raises(UnusableRaster, match="Columns 32 to 63 and rows 32 to 63"):
            raster.read(Window(32, 32, 32, 32))


# ---- bands ---------------------------------------------------------------------------------------------------------


def test_a_single_band_feeds_red_green_and_blue(tmp_path: Path, write_raster, spec) -> None:
    with open_raster(write_raster(tmp_path / "a.tif", RGB[:1]), spec) as raster:
        assert raster.info.bands == (1, 1, 1)
        assert raster.read(WHOLE).array.shape == (1, 20, 30)


def test_bands_are_found_by_their_colours(tmp_path: Path, write_raster, spec) -> None:
    kinds = (ColorInterp.blue, ColorInterp.green, ColorInterp.red)
    with open_raster(write_raster(tmp_path / "a.tif", RGB, colorinterp=kinds), spec) as raster:
        assert raster.info.bands == (3, 2, 1)


def test_bands_are_found_by_their_descriptions(tmp_path: Path, write_raster, spec) -> None:
    path = write_raster(tmp_path / "a.tif", np.concatenate([RGB, RGB]), photometric="minisblack")
    with rasterio.open(path, "r+") as dataset:
        for band, name in ((2, "Blue"), (4, "Green"), (5, "Red")):
            dataset.set_band_description(band, name)
    with open_raster(path, spec) as raster:
        assert raster.info.bands == (5, 4, 2)


def test_bands_chosen_by_hand_win_and_travel_once_each(tmp_path: Path, write_raster, spec) -> None:
    with open_raster(write_raster(tmp_path / "a.tif", RGB), spec, bands=(3, 1, 1)) as raster:
        assert raster.info.bands == (3, 1, 1)
        np.testing.assert_array_equal(raster.read(WHOLE).array, RGB[[0, 2]])


def test_too_few_bands_do_not_fit_the_model(tmp_path: Path, write_raster, spec) -> None:
    with pytest.raises(UnusableModel, match="has 2"):
        open_raster(write_raster(tmp_path / "a.tif", RGB[:2]), spec)


def test_alpha_is_a_mask_and_no_band(tmp_path: Path, write_raster, spec) -> None:
    alpha = np.zeros((1, 20, 30), np.uint8)
    alpha[0, 3:9, 4:8] = 255
    kinds = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    with open_raster(write_raster(tmp_path / "a.tif", np.concatenate([RGB, alpha]), colorinterp=kinds), spec) as raster:
        assert raster.info.bands == (1, 2, 3)
        np.testing.assert_array_equal(raster.read(WHOLE).valid, alpha[0] > 0)


def test_a_palette_is_handed_on(tmp_path: Path, write_raster, spec) -> None:
    path = write_raster(tmp_path / "a.tif", RGB[:1] % 3, photometric="palette")
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (1, 2, 3, 255), 2: (7, 8, 9, 255)})
    with open_raster(path, spec) as raster:
        assert raster.info.bands == (1, 1, 1)
        assert raster.info.palette[:3] == ((1, 2, 3), (0, 0, 0), (7, 8, 9))


def test_a_palette_of_16_bits_is_refused_with_the_way_out(tmp_path: Path, write_raster, spec) -> None:
    path = write_raster(tmp_path / "a.tif", RGB[:1].astype(np.uint16) * 2, photometric="palette")
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {300: (1, 2, 3, 255)})
    with pytest.raises(UnusableRaster, match="uint16") as caught:
        open_raster(path, spec)
    assert "-expand rgb" in caught.value.hint


def test_a_palette_does_not_feed_a_model_of_one_band(tmp_path: Path, write_raster, spec) -> None:
    path = write_raster(tmp_path / "a.tif", RGB[:1] % 3, photometric="palette")
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (1, 2, 3, 255)})
    with pytest.raises(UnusableModel, match="colour table"):
        open_raster(path, replace(spec, bands=("red",), normalisation=Normalisation((0.0,), (1.0,))))


# ---- values and masks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"])
def test_every_real_type_is_read(tmp_path: Path, write_raster, spec, dtype: str) -> None:
    values = (RGB // 2).astype(dtype)
    with open_raster(write_raster(tmp_path / "a.tif", values), spec) as raster:
        assert raster.info.dtype == dtype
        assert all(low < high for low, high in raster.info.ranges)
        np.testing.assert_array_equal(raster.read(WHOLE).array, values)


def test_eight_bits_keep_their_range_and_others_are_stretched(tmp_path: Path, write_raster, spec) -> None:
    ramp = np.linspace(1000, 2000, 600).reshape(1, 20, 30)
    with open_raster(write_raster(tmp_path / "a.tif", ramp.astype(np.uint16)), spec) as raster:
        assert raster.info.ranges[0] == pytest.approx((1020, 1980), abs=2)
    with open_raster(write_raster(tmp_path / "b.tif", RGB), spec) as raster:
        assert raster.info.ranges[0] == (0.0, 255.0)


def test_nodata_does_not_count_for_the_range(tmp_path: Path, write_raster, spec) -> None:
    values = np.linspace(1000, 2000, 600).reshape(1, 20, 30).astype(np.float32)
    values[0, :10] = -9999
    with open_raster(write_raster(tmp_path / "a.tif", values, nodata=-9999), spec) as raster:
        assert raster.info.ranges[0][0] > 1400


def test_a_pixel_has_data_if_any_of_its_bands_has(tmp_path: Path, write_raster, spec) -> None:
    image = RGB.copy()
    image[:, 2, 3], image[0, 4, 5] = 7, 7
    with open_raster(write_raster(tmp_path / "a.tif", image, nodata=7), spec) as raster:
        valid = raster.read(WHOLE).valid
    assert not valid[2, 3]
    assert valid[4, 5]


@pytest.mark.parametrize("nodata", [None, np.nan, 0.0])
def test_what_is_not_a_finite_number_is_no_data(tmp_path: Path, write_raster, spec, nodata: float | None) -> None:
    values = RGB[:1].astype(np.float32) + 1
    values[0, 2, 3], values[0, 4, 5] = np.nan, np.inf
    with open_raster(write_raster(tmp_path / "a.tif", values, nodata=nodata), spec) as raster:
        valid = raster.read(WHOLE).valid
    assert not valid[2, 3]
    assert not valid[4, 5]
    assert valid.sum() == 598


def test_an_internal_mask_counts(tmp_path: Path, write_raster, spec) -> None:
    mask = RNG.random((20, 30)) < 0.5
    with open_raster(write_raster(tmp_path / "a.tif", RGB, mask=mask), spec) as raster:
        np.testing.assert_array_equal(raster.read(WHOLE).valid, mask)


# ---- place ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transform", "epsg", "gsd_m"),
    [
        (HALF_METRE, 32640, 0.5),
        (rasterio.Affine(0.5, 0, 350000, 0, 0.5, 2780000), 32640, 0.5),  # south up
        (rasterio.Affine(0.4, 0.3, 350000, 0.3, -0.4, 2780000), 32640, 0.5),  # rotated
        (rasterio.Affine(0.149, 0, 9507000, 0, -0.149, 3205000), 3857, 0.132),  # Web Mercator in Banepa
        (rasterio.Affine(1e-5, 0, 55.3, 0, -1e-5, 25.2), 4326, 1.0574),
    ],
)
def test_gsd_is_measured_on_the_ground(tmp_path: Path, write_raster, spec, transform, epsg: int, gsd_m: float) -> None:
    path = write_raster(tmp_path / "a.tif", RGB, crs=CRS.from_epsg(epsg), transform=transform)
    with open_raster(path, spec) as raster:
        assert raster.info.grid.gsd_m == pytest.approx(gsd_m, rel=0.01)
        assert raster.info.grid.transform == tuple(transform)[:6]
        assert CRS.from_wkt(raster.info.grid.crs_wkt) == CRS.from_epsg(epsg)


def test_without_a_crs_the_gsd_is_unknown(tmp_path: Path, write_raster, spec) -> None:
    with open_raster(write_raster(tmp_path / "a.tif", RGB, transform=HALF_METRE), spec) as raster:
        assert (raster.info.grid.crs_wkt, raster.info.grid.gsd_m) == ("", None)


def test_a_crs_that_is_nowhere_on_earth_has_no_gsd(tmp_path: Path, write_raster, spec) -> None:
    building_site = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')
    with open_raster(write_raster(tmp_path / "a.tif", RGB, crs=building_site, transform=HALF_METRE), spec) as raster:
        assert raster.info.grid.gsd_m is None


def test_ground_control_points_give_an_approximate_place(tmp_path: Path, write_raster, spec) -> None:
    corners = [(row, col) for row in (0, 20) for col in (0, 30)]
    gcps = [GroundControlPoint(row, col, *(HALF_METRE @ (col, row)), 0.0) for row, col in corners]
    with open_raster(write_raster(tmp_path / "a.tif", RGB, gcps=gcps, crs=UTM40), spec) as raster:
        assert raster.info.grid.transform == pytest.approx(tuple(HALF_METRE)[:6])
        assert raster.info.grid.gsd_m == pytest.approx(0.5, rel=0.01)
        assert len(raster.georeference.gcps) == 4


@pytest.mark.parametrize(
    "corners",
    [[(0, 0)], [(0, 0), (20, 30)], [(0, 0), (10, 15), (20, 30)], [(5, 5)] * 4],
    ids=["one", "two", "on a line", "in one place"],
)
def test_control_points_that_span_no_area_give_no_place(tmp_path: Path, write_raster, spec, corners) -> None:
    gcps = [GroundControlPoint(row, col, *(HALF_METRE @ (col, row)), 0.0) for row, col in corners]
    with open_raster(write_raster(tmp_path / "a.tif", RGB, gcps=gcps, crs=UTM40), spec) as raster:
        assert (raster.info.grid.transform, raster.info.grid.gsd_m) == (IDENTITY, None)
        assert len(raster.georeference.gcps) == len(corners)


def test_a_model_of_four_bands_gets_four(tmp_path: Path, write_raster, spec) -> None:
    four = replace(spec, bands=("red", "green", "blue", "nir"), normalisation=Normalisation((0.0,) * 4, (1.0,) * 4))
    image = np.concatenate([RGB, RGB[:1]])
    with open_raster(write_raster(tmp_path / "a.tif", image, photometric="minisblack"), four) as raster:
        assert raster.info.bands == (1, 2, 3, 4)
