"""The feature table (docs/features.md), row by row: rasters of every kind, size and place."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsRectangle

from terrafine.tests.qgis import scenes

pytestmark = pytest.mark.qgis
NODATA = 255
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs sparse files and /proc")
KINDS = {
    "projected": scenes.projected,
    "rotated": scenes.rotated,
    "degrees": scenes.geographic,
    "control points": scenes.control_points,
}


def classified(analyst, address: str, path: Path) -> np.ndarray:
    analyst.connect(address)
    analyst.open(path)
    analyst.choose_model()
    analyst.classify()
    return analyst.map()


def test_result_does_not_depend_on_the_extent_asked_for(analyst, address, scene):
    """A part that is classified by itself is that part of the whole, and parts fit without seams."""
    analyst.connect(address)
    layer = analyst.open(scene)
    analyst.choose_model()
    whole = layer.extent()
    left = QgsRectangle(whole.xMinimum() + 10, whole.yMinimum() + 10, whole.center().x() - 7, whole.yMaximum() - 30)
    analyst.window.look_at(left)
    analyst.classify()
    part = analyst.map()
    analyst.window.look_at(whole)
    analyst.classify()
    there = part != NODATA
    assert 0.1 < there.mean() < 0.9
    assert np.array_equal(part[there], analyst.map()[there])


def test_more_than_3_bands_16_bit_and_nodata(analyst, address, tmp_path):
    """The model's bands are found by name, values are stretched, and where there are none there is no class."""
    values = scenes.noise(5, "uint16")
    values[:, 100:, 100:] = 0
    dataset = scenes.write(tmp_path / "five bands.tif", values)
    names = (gdal.GCI_Undefined, gdal.GCI_BlueBand, gdal.GCI_GreenBand, gdal.GCI_RedBand, gdal.GCI_Undefined)
    for number, name in enumerate(names, 1):
        dataset.GetRasterBand(number).SetColorInterpretation(name)
        dataset.GetRasterBand(number).SetNoDataValue(0)
    del dataset
    result = classified(analyst, address, tmp_path / "five bands.tif")
    assert analyst.controller.session.info.bands == (4, 3, 2)
    assert (result[110:, 110:] == NODATA).all()
    assert (result[:90, :90] != NODATA).all()


@pytest.mark.parametrize("kind", KINDS)
def test_right_place_in_any_crs(analyst, address, tmp_path, kind):
    """The map lies on the image, and a click changes the pixel that is seen there."""
    result = classified(analyst, address, KINDS[kind](tmp_path / "scene.tif"))
    wrong = (int(result[40, 50]) + 1) % 3
    analyst.mark(50.5, 40.5, wrong)
    assert analyst.map()[40, 50] == wrong
    image, shown = analyst.dock.map.current_raster(), analyst.map_layer
    assert (shown.width(), shown.height()) == (image.width(), image.height())
    assert shown.extent().toString(3) == image.extent().toString(3)


def test_resolution_model_s_gsd_against_the_raster_s(analyst, address, tmp_path):
    """The same ground at half the pixel size gives the same map: the model sees both at its own resolution."""
    fine = np.repeat(np.repeat(scenes.noise(3, size=80) // 8 * 8, 2, axis=1), 2, axis=2)
    origin, row = scenes.NORTH_UP[0], scenes.NORTH_UP[3]
    scenes.write(tmp_path / "fine.tif", fine, (origin, 0.5, 0.0, row, 0.0, -0.5))
    result = classified(analyst, address, tmp_path / "fine.tif")
    assert analyst.controller.session.info.grid.gsd_m == pytest.approx(0.5, rel=0.01)
    assert result.shape == (160, 160)
    cells = result.reshape(80, 2, 80, 2)
    assert (cells == cells[:, :1, :, :1]).mean() > 0.8  # the four pixels of a model's pixel mostly agree


@LINUX
def test_very_large_rasters(analyst, address, tmp_path):
    """60,000 pixels a side: memory and files grow with what is classified, a disk that is too small is told of."""
    path = tmp_path / "large.tif"
    driver, options = gdal.GetDriverByName("GTiff"), ["SPARSE_OK=TRUE", "TILED=YES", "BIGTIFF=YES"]
    dataset = driver.Create(str(path), 60_000, 60_000, 3, gdal.GDT_Byte, options)
    dataset.SetGeoTransform(scenes.NORTH_UP)
    dataset.WriteArray(scenes.noise(3), 30_000, 30_000)
    del dataset
    analyst.connect(address)
    layer = analyst.open(path)  # QGIS draws all of it, and GDAL keeps what that took
    before = held_bytes()
    analyst.choose_model()
    corner = layer.extent()
    x, y = corner.xMinimum() + 30_000, corner.yMaximum() - 30_000
    analyst.window.look_at(QgsRectangle(x, y - 120, x + 120, y))
    analyst.classify()
    assert held_bytes() - before < 300_000_000
    assert Path(analyst.map_layer.source()).stat().st_blocks * 512 < 20_000_000
    analyst.mark(30_050.5, 30_040.5, 1)
    assert len(analyst.stored()) == 1


def held_bytes() -> int:
    """The memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize()


@LINUX
def test_very_large_rasters_that_do_not_fit_on_the_disk_are_refused_beforehand(analyst, address, tmp_path):
    """With both sizes, and what to do."""
    path = tmp_path / "larger.vrt"
    path.write_text(VRT.format(size=2_000_000), "utf-8")
    analyst.connect(address)
    analyst.open(path)
    analyst.choose_model()
    analyst.plugin.desk._choose_area("layer")
    analyst.press(analyst.dock.map.classify)
    assert any("takes 4000.0 GB" in m and "a smaller area" in m for m in analyst.window.messages())
    assert analyst.controller.work is None


VRT = """<VRTDataset rasterXSize="{size}" rasterYSize="{size}">
  <GeoTransform>326000, 1, 0, 2785000, 0, -1</GeoTransform>
  <VRTRasterBand dataType="Byte" band="1"/>
  <VRTRasterBand dataType="Byte" band="2"/>
  <VRTRasterBand dataType="Byte" band="3"/>
</VRTDataset>"""
