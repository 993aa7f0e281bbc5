"""Marks from elsewhere: imported from vector layers, edited with QGIS's own tools; and exported."""

from __future__ import annotations

import pytest
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QTransform
from qgis.PyQt.QtWidgets import QDialogButtonBox

from terrafine.tests.qgis import scenes
from terrafine.tests.qgis.analyst import until

pytestmark = pytest.mark.qgis
CONTROL = Qt.KeyboardModifier.ControlModifier


def layer_of(analyst, kind: str, features, crs: str = "EPSG:4326", field: str = "label:string") -> QgsVectorLayer:
    """A vector layer in some CRS; features are (class, WKT in pixel coordinates)."""
    layer = QgsVectorLayer(f"{kind}?crs={crs}&field={field}", "samples", "memory")
    raster = analyst.controller.session.raster.crs
    there = QgsCoordinateTransform(raster, QgsCoordinateReferenceSystem(crs), QgsProject.instance())
    for name, wkt in features:
        feature = QgsFeature(layer.fields())
        feature[0] = name
        geometry = QgsGeometry.fromWkt(wkt)
        geometry.transform(QTransform(1.0, 0.0, 0.0, -1.0, scenes.NORTH_UP[0], scenes.NORTH_UP[3]))
        geometry.transform(there)
        feature.setGeometry(geometry)
        assert layer.dataProvider().addFeature(feature)
    QgsProject.instance().addMapLayer(layer)
    return layer


def import_marks(analyst, layer: QgsVectorLayer) -> None:
    """Through the dialog."""
    analyst.dock.marks.tools.more.menu().actions()[0].trigger()
    dialog = analyst.plugin.desk.exchange.dialog
    dialog.layers.setLayer(layer)
    messages = len(analyst.window.messages())
    analyst.press(dialog.buttons.button(QDialogButtonBox.StandardButton.Ok))
    until(lambda: len(analyst.window.messages()) > messages, "the import tells its end")
    analyst.settle()


@pytest.mark.parametrize(
    ("kind", "wkt", "drawn"),
    [
        ("Point", "Point (50.5 40.5)", [("point", 1)]),
        ("MultiPoint", "MultiPoint ((50.5 40.5), (90.5 40.5))", [("point", 1), ("point", 1)]),
        ("LineString", "LineString (30 30, 60 30, 60 50)", [("stroke", 3)]),
        ("Polygon", "Polygon ((30 30, 60 30, 60 60, 30 60, 30 30))", [("polygon", 4)]),
    ],
)
def test_points_lines_and_polygons_are_imported_from_any_crs(mapped, kind, wkt, drawn):
    class_id = (int(mapped.map()[40, 50]) + 1) % 3
    import_marks(mapped, layer_of(mapped, kind, [(mapped.controller.legend[class_id].name.upper(), wkt)]))
    assert [(mark.kind, len(mark.vertices)) for mark in mapped.marks] == drawn
    assert {mark.class_id for mark in mapped.marks} == {class_id}
    first = wkt[wkt.rindex("((") + 2 :] if "((" in wkt else wkt[wkt.index("(") + 1 :]
    x, y = (float(value) for value in first.split(")")[0].split(",")[0].split())
    assert mapped.marks[0].vertices[0] == pytest.approx((x, y), abs=0.05)
    assert len(mapped.stored()) == len(drawn)


def test_imported_marks_are_one_step_and_refine_the_map(mapped):
    before = mapped.map()
    class_id = (int(before[40, 50]) + 1) % 3
    features = [(class_id, "Point (50.5 40.5)"), (class_id, "Point (90.5 40.5)")]
    import_marks(mapped, layer_of(mapped, "Point", features, field="class:integer"))
    assert mapped.map()[40, 50] == mapped.map()[40, 90] == class_id
    mapped.key(Qt.Key.Key_Z, CONTROL, on=mapped.dock)
    mapped.settle()
    assert mapped.marks == ()
    assert (mapped.map() == before).all()


def test_what_is_not_imported_is_told_with_the_reason(mapped):
    name = mapped.controller.legend[0].name
    features = [
        (name, "Polygon ((30 30, 60 30, 60 60, 30 60, 30 30))"),
        ("swamp", "Polygon ((30 30, 60 30, 60 60, 30 60, 30 30))"),
        (name, "Polygon ((930 30, 960 30, 960 60, 930 60, 930 30))"),
        (name, "Polygon ((30 30, 60 60, 60 30, 30 60, 30 30))"),
        (None, "Polygon ((30 30, 60 30, 60 60, 30 60, 30 30))"),
    ]
    import_marks(mapped, layer_of(mapped, "Polygon", features))
    assert len(mapped.marks) == 1
    told = mapped.window.messages()[-1]
    for reason in (
        "imported: 1",
        "no class of the legend: 1",
        "outside the image: 1",
        "crosses itself: 1",
        "no class: 1",
    ):
        assert reason in told


def test_an_imported_polygon_with_a_hole_leaves_the_hole_alone(mapped):
    name = mapped.controller.legend[0].name
    ring = "Polygon ((20 20, 80 20, 80 80, 20 80, 20 20), (40 40, 60 40, 60 60, 40 60, 40 40))"
    import_marks(mapped, layer_of(mapped, "Polygon", [(name, ring)]))
    assert {mark.kind for mark in mapped.marks} == {"polygon"}
    assert (mapped.map()[22:38, 22:78] == 0).all()
    around = [QgsGeometry.fromPolygonXY([[QgsPointXY(*at) for at in mark.vertices]]) for mark in mapped.marks]
    assert sum(shape.area() for shape in around) == pytest.approx(60 * 60 - 20 * 20, rel=0.01)


def test_a_mark_moved_with_qgis_s_tools_is_a_step_that_heals_the_map(mapped):
    before = mapped.map()
    class_id = (int(before[40, 90]) + 1) % 3
    mapped.mark(50.5, 40.5, class_id)
    layer = mapped.marks_layer
    assert layer.startEditing()
    feature = next(layer.getFeatures())
    geometry = feature.geometry()
    geometry.translate(40.0, 0.0)  # metres, pixels of one metre
    layer.changeGeometry(feature.id(), geometry)
    assert len(mapped.controller.session.history.steps) == 1  # in QGIS's edit buffer only
    assert layer.commitChanges()
    mapped.settle()
    (mark,) = mapped.marks
    assert mark.kind == "point"
    assert mark.vertices[0] == pytest.approx((90.5, 40.5), abs=0.01)
    assert mapped.map()[40, 90] == class_id
    assert [item[0] for item in mapped.stored()] == [mark.id]
    mapped.key(Qt.Key.Key_Z, CONTROL, on=mapped.dock)
    mapped.settle()
    assert [int(value) for value in mapped.marks[0].vertices[0]] == [50, 40]


def test_a_moved_stroke_stays_a_stroke_and_a_reshaped_one_becomes_a_polygon(mapped):
    mapped.stroke(1, (40.5, 80.5), (100.5, 80.5))
    (before,) = mapped.marks
    layer = mapped.marks_layer
    for reshape, kind in (
        (lambda shape: shape.translate(10.0, 0.0), "stroke"),
        (lambda shape: shape.moveVertex(QgsPointXY(326100, 2784900).x(), 2784900.0, 0), "polygon"),
    ):
        layer.startEditing()
        feature = next(layer.getFeatures())
        geometry = feature.geometry()
        reshape(geometry)
        layer.changeGeometry(feature.id(), geometry)
        assert layer.commitChanges()
        mapped.settle()
        (mark,) = mapped.marks
        assert mark.kind == kind
        if kind == "stroke":
            assert mark.vertices[0] == pytest.approx((before.vertices[0][0] + 10, before.vertices[0][1]), abs=0.01)
            assert mark.width_px == before.width_px


def test_marks_deleted_and_reclassified_with_qgis_s_tools_are_followed(mapped):
    mapped.mark(50.5, 40.5, 0)
    mapped.mark(90.5, 40.5, 0)
    first, second = mapped.marks
    layer = mapped.marks_layer
    layer.startEditing()
    ids = {feature["mark_id"]: feature.id() for feature in layer.getFeatures()}
    layer.deleteFeature(ids[first.id])
    layer.changeAttributeValue(ids[second.id], layer.fields().indexOf("class_id"), 2)
    assert layer.commitChanges()
    mapped.settle()
    (mark,) = mapped.marks
    assert (mark.vertices, mark.class_id) == (second.vertices, 2)
    assert next(layer.getFeatures())["class_name"] == mapped.controller.legend[2].name
    mapped.key(Qt.Key.Key_Z, CONTROL, on=mapped.dock)
    mapped.settle()
    assert mapped.marks == (first, second)
    assert [item[0] for item in mapped.stored()] == [first.id, second.id]


def test_a_feature_drawn_with_qgis_s_tools_is_a_mark_if_it_has_a_class(mapped):
    layer = mapped.marks_layer
    square = QgsGeometry.fromWkt(
        "Polygon ((326030 2784970, 326060 2784970, 326060 2784940, 326030 2784940, 326030 2784970))"
    )
    layer.startEditing()
    for name in (mapped.controller.legend[1].name, "swamp"):
        feature = QgsFeature(layer.fields())
        feature["class_name"] = name
        feature.setGeometry(square)
        assert layer.addFeature(feature)
    assert layer.commitChanges()
    mapped.settle()
    (mark,) = mapped.marks
    assert (mark.kind, mark.class_id) == ("polygon", 1)
    assert (mapped.map()[32:58, 32:58] == 1).all()
    assert [item[0] for item in mapped.stored()] == [mark.id]
    assert "not taken over: 1" in mapped.window.messages()[-1]


def test_exporting_the_marks_opens_qgis_s_own_export_of_their_layer(mapped):
    opened = []
    mapped.window.save_as.triggered.connect(lambda: opened.append(mapped.window.active_layer))
    mapped.dock.marks.tools.more.menu().actions()[1].trigger()
    assert opened == [mapped.marks_layer]
