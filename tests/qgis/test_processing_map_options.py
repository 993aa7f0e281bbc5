"""Algorithms that classify: maps of more detail, and models that are told numbers; with a real server."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsProcessingException,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)

from terrafine.tests.qgis import scenes
from terrafine.tests.qgis.processing_runs import run_for_raster

pytestmark = pytest.mark.usefixtures("provider")
LEFT, TOP = scenes.NORTH_UP[0], scenes.NORTH_UP[3]
STANDARD, DOUBTFUL, FINE = range(3)


@pytest.fixture
def classified(scene, address, tmp_path):
    """What an algorithm makes of the scene."""
    image = QgsRasterLayer(str(scene), "scène", "gdal")

    def classify(model: str, name: str = "classify", **parameters) -> np.ndarray:
        target = tmp_path / f"{len(list(tmp_path.iterdir()))}.tif"
        return run_for_raster(name, target, INPUT=image, SERVER=address, MODEL=model, **parameters).ReadAsArray()

    return classify


def point_layer(height: float, crs: str = "EPSG:32640") -> QgsVectorLayer:
    layer = QgsVectorLayer(f"Point?crs={crs}&field=h:double&field=height:double&field=noise:double", "photos", "memory")
    feature = QgsFeature(layer.fields())
    place = QgsGeometry.fromPointXY(QgsPointXY(LEFT + 60.5, TOP - 60.5))
    image_crs = QgsCoordinateReferenceSystem("EPSG:32640")
    place.transform(QgsCoordinateTransform(image_crs, layer.crs(), QgsProject.instance()))
    feature.setGeometry(place)
    feature.setAttributes([-height, height, 1.0])
    layer.dataProvider().addFeature(feature)
    return layer


def test_a_map_of_more_detail_is_drawn_with_the_model_s_module(classified):
    plain = classified("tiny-detail")
    assert (plain != 1).any()
    np.testing.assert_array_equal(classified("tiny-detail", DETAIL=STANDARD), plain)
    assert (classified("tiny-detail", DETAIL=FINE) == 1).all()
    assert (classified("tiny-detail", DETAIL=DOUBTFUL) == 1).all()


def test_a_model_without_a_module_says_so(classified):
    with pytest.raises(QgsProcessingException, match="tiny"):
        classified("tiny", DETAIL=FINE)


def test_points_steer_the_map_by_the_fields_of_the_model_s_names_or_those_that_are_chosen(classified):
    plain, steered = classified("told"), classified("told", POINTS=point_layer(500.0))
    assert (steered != plain).any()
    chosen = classified("told", POINTS=point_layer(500.0), FIELDS=["h", "noise"])
    assert (chosen != steered).any()
    np.testing.assert_array_equal(classified("told", POINTS=point_layer(-500.0), FIELDS=["h", "noise"]), steered)


def test_points_may_have_another_crs(classified):
    expected = classified("told", POINTS=point_layer(500.0))
    np.testing.assert_array_equal(classified("told", POINTS=point_layer(500.0, "EPSG:4326")), expected)


def test_points_and_marks_count_together(classified):
    marks = QgsVectorLayer("Point?crs=EPSG:32640&field=class_id:integer", "marks", "memory")
    feature = QgsFeature(marks.fields())
    feature.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(LEFT + 20.5, TOP - 20.5)))
    feature.setAttributes([2])
    marks.dataProvider().addFeature(feature)
    both = classified("told", "refine", MARKS=marks, POINTS=point_layer(500.0))
    assert both[20, 20] == 2
    assert (both != classified("told", "refine", MARKS=marks)).any()


def test_a_model_that_is_told_nothing_says_so(classified):
    with pytest.raises(QgsProcessingException, match="tiny"):
        classified("tiny", POINTS=point_layer(500.0))
