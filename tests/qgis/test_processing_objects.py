"""Boxes of a layer become outlines, by a real server."""

from __future__ import annotations

import pytest
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeature,
    QgsGeometry,
    QgsProcessingException,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)

from terrafine.tests.qgis.processing_runs import run, run_for_layer

pytestmark = pytest.mark.usefixtures("provider")
LEFT, TOP = 326000, 2785000
BOX = QgsRectangle(LEFT + 20, TOP - 100, LEFT + 100, TOP - 20)
FAR = QgsRectangle(LEFT + 5000, TOP - 100, LEFT + 5080, TOP - 20)


@pytest.fixture
def image(scene):
    return QgsRasterLayer(str(scene), "scène", "gdal")


def boxes(*rectangles: QgsRectangle, crs: str = "EPSG:32640") -> QgsVectorLayer:
    layer = QgsVectorLayer(f"Polygon?crs={crs}&field=number:integer", "boxes", "memory")
    turn = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:32640"), QgsCoordinateReferenceSystem(crs), QgsProject.instance()
    )
    for number, rectangle in enumerate(rectangles, 1):
        feature = QgsFeature(layer.fields())
        shape = QgsGeometry.fromRect(rectangle)
        shape.transform(turn)
        feature.setGeometry(shape)
        feature.setAttributes([number])
        assert layer.dataProvider().addFeature(feature)
    return layer


def objects(image, address, *rectangles: QgsRectangle, crs: str = "EPSG:32640", **parameters) -> QgsVectorLayer:
    layer = boxes(*rectangles, crs=crs)
    return run_for_layer("objects", INPUT=image, BOXES=layer, SERVER=address, MODEL="finder", **parameters)


def test_a_box_becomes_an_outline_around_its_middle_with_its_attributes(image, address):
    (feature,) = objects(image, address, BOX).getFeatures()
    middle = QgsGeometry.fromPointXY(BOX.center())
    assert feature.geometry().contains(middle)
    assert 0.02 * BOX.width() ** 2 < feature.geometry().area() < BOX.width() ** 2
    assert feature["number"] == 1
    assert 0.5 < feature["score"] <= 1.0


def test_boxes_may_have_another_crs(image, address):
    near, same = (next(objects(image, address, BOX, crs=crs).getFeatures()) for crs in ("EPSG:4326", "EPSG:32640"))
    common = near.geometry().intersection(same.geometry()).area()
    assert common > 0.8 * same.geometry().area()


def test_boxes_without_an_object_are_left_out_and_counted(image, address):
    parameters = {"INPUT": image, "BOXES": boxes(FAR, BOX), "SERVER": address, "MODEL": "finder"}
    results, context = run("objects", OUTPUT="memory:", **parameters)
    (feature,) = context.takeResultLayer(results["OUTPUT"]).getFeatures()
    assert feature["number"] == 2
    assert (results["FOUND"], results["MISSED"]) == (1, 1)


def test_boxes_beside_the_extent_are_left_out(image, address):
    other = QgsRectangle(LEFT + 110, TOP - 150, LEFT + 150, TOP - 110)
    part = f"{LEFT + 105},{LEFT + 160},{TOP - 160},{TOP - 105} [EPSG:32640]"
    (feature,) = objects(image, address, BOX, other, EXTENT=part).getFeatures()
    assert feature["number"] == 2


def test_what_the_model_is_unsure_of_can_be_left_out(image, address):
    assert objects(image, address, BOX, LEAST_SCORE=0.99).featureCount() == 0


def test_a_model_for_maps_is_none_for_objects(image, address):
    with pytest.raises(QgsProcessingException, match="no model 'tiny'.*finder"):
        run("objects", INPUT=image, BOXES=boxes(BOX), SERVER=address, MODEL="tiny", OUTPUT="memory:")
