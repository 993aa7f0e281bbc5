"""A click lands on the pixel that is seen there, however the raster lies and whatever CRS the map has."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransformContext, QgsPointXY

from terrafine.qgis_plugin.rasters.placement import Locator, Placement
from terrafine.qgis_plugin.rasters.raster import open_dataset
from terrafine.shared.geo import Window
from terrafine.tests.qgis import scenes

pytestmark = pytest.mark.qgis
KINDS = {
    "projected": scenes.projected,
    "rotated": scenes.rotated,
    "geographic": scenes.geographic,
    "control points": scenes.control_points,
    "nowhere": scenes.nowhere,
}


@pytest.fixture(params=KINDS)
def raster(request, tmp_path):
    return KINDS[request.param](tmp_path / f"{request.param}.tif")


def test_pixels_go_to_the_map_and_back(raster):
    placement = Placement(open_dataset(str(raster)))
    for pixel in ((0.0, 0.0), (50.5, 40.5), (160.0, 3.25)):
        assert placement.to_pixel(*placement.to_crs(*pixel)) == pytest.approx(pixel, abs=1e-3)


def test_a_click_marks_the_pixel_that_the_canvas_shows_there(analyst, address, raster):
    analyst.connect(address)
    analyst.open(raster)
    analyst.choose_model()
    analyst.classify()
    wrong = (int(analyst.map()[40, 50]) + 1) % 3
    analyst.mark(50.5, 40.5, wrong)
    (mark,) = analyst.marks
    assert [int(value) for value in mark.vertices[0]] == [50, 40]
    assert analyst.map()[40, 50] == wrong


def test_qgis_shows_image_and_map_of_a_pixel_at_the_place_that_the_plugin_thinks(analyst, address, raster):
    analyst.connect(address)
    layer = analyst.open(raster)
    analyst.choose_model()
    analyst.classify()
    wrong = (int(analyst.map()[40, 50]) + 1) % 3
    analyst.stroke(wrong, (47.5, 40.5), (53.5, 40.5))  # wider than the half pixel that QGIS's own warping may stray
    place = QgsPointXY(*analyst.plugin.bench.locator().placement.to_crs(50.5, 40.5))
    assert layer.dataProvider().sample(place, 1) == (77.0, True)
    assert analyst.map_layer.dataProvider().sample(place, 1) == (float(wrong), True)


def test_a_click_lands_right_where_the_project_has_another_crs(analyst, address, tmp_path):
    analyst.connect(address)
    analyst.window.look_at(analyst.window.canvas.extent(), QgsCoordinateReferenceSystem("EPSG:3857"))
    analyst.open(scenes.geographic(tmp_path / "geographic.tif"))
    analyst.window.canvas.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
    analyst.window.canvas.zoomToFullExtent()
    analyst.choose_model()
    analyst.classify()
    wrong = (int(analyst.map()[40, 50]) + 1) % 3
    analyst.mark(50.5, 40.5, wrong)
    assert [int(value) for value in analyst.marks[0].vertices[0]] == [50, 40]
    assert analyst.map()[40, 50] == wrong


def test_marks_lie_on_the_map_where_they_were_drawn(analyst, address, tmp_path):
    analyst.connect(address)
    analyst.open(scenes.rotated(tmp_path / "rotated.tif"))
    analyst.choose_model()
    analyst.classify()
    analyst.mark(50.5, 40.5, 1)
    (feature,) = analyst.marks_layer.getFeatures()
    center = feature.geometry().centroid().asPoint()
    expected = analyst.plugin.bench.locator().placement.to_crs(50.5, 40.5)
    assert (center.x(), center.y()) == pytest.approx(expected, abs=0.01)
    assert feature.geometry().area() == pytest.approx(1.0, abs=1e-6)  # one pixel of 1 m


def test_a_view_turned_against_the_raster_is_classified_whole(tmp_path):
    placement = Placement(open_dataset(str(scenes.rotated(tmp_path / "rotated.tif"))))
    crs = QgsCoordinateReferenceSystem("EPSG:32640")
    locator = Locator(placement, crs, crs, QgsCoordinateTransformContext())
    assert locator.window(locator.extent(placement.window)) == placement.window
    inner = Window(60, 60, 20, 20)
    around = locator.window(locator.extent(inner))
    assert around.col <= inner.col
    assert around.col_end >= inner.col_end
    assert around.width < 40


def test_a_view_beside_the_raster_has_an_empty_window(tmp_path):
    placement = Placement(open_dataset(str(scenes.projected(tmp_path / "scene.tif"))))
    crs = QgsCoordinateReferenceSystem("EPSG:32640")
    locator = Locator(placement, crs, crs, QgsCoordinateTransformContext())
    extent = locator.extent(Window(1000, 1000, 50, 50))
    assert locator.window(extent).is_empty


def test_the_gsd_is_measured_on_the_ground(tmp_path):
    crs = QgsCoordinateReferenceSystem("EPSG:4326")
    grid = Placement(open_dataset(str(scenes.geographic(tmp_path / "geographic.tif")))).grid(crs)
    assert grid.gsd_m == pytest.approx(1.0, rel=0.02)


def test_a_raster_without_a_crs_has_no_gsd(tmp_path):
    grid = Placement(open_dataset(str(scenes.nowhere(tmp_path / "nowhere.tif")))).grid(QgsCoordinateReferenceSystem())
    assert grid.gsd_m is None
    assert grid.crs_wkt == ""
    assert np.allclose(grid.transform, (1, 0, 0, 0, 1, 0))
