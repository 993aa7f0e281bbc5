"""Side information in the plugin, against a real server: a point layer's numbers steer the map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsFeature, QgsGeometry, QgsPointXY, QgsProject, QgsVectorLayer

from terrafine.qgis_plugin.learn.networks import dumps, loads
from terrafine.qgis_plugin.requests import Legend, Network
from terrafine.qgis_plugin.side.points import read_points
from terrafine.shared.errors import BadRequest
from terrafine.shared.side import NOWHERE
from terrafine.tests.qgis import scenes
from terrafine.tests.qgis.analyst import until

pytestmark = pytest.mark.qgis
LEFT, TOP = scenes.NORTH_UP[0], scenes.NORTH_UP[3]


def point_layer(*rows, crs="EPSG:32640", fields="field=height:double&field=noise:double&field=words:string"):
    """Points at (x, y) of the raster's pixels with (height, noise)."""
    layer = QgsVectorLayer(f"Point?crs={crs}&{fields}", "photographs", "memory")
    features = []
    for x, y, *numbers in rows:
        feature = QgsFeature(layer.fields())
        feature.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(LEFT + x, TOP - y)))
        feature.setAttributes([*numbers, "seven"])
        features.append(feature)
    layer.dataProvider().addFeatures(features)
    QgsProject.instance().addMapLayer(layer)
    return layer


@pytest.fixture
def told(analyst, address: str, scene: Path):
    """The analyst with a map by a model that takes two numbers at points."""
    analyst.connect(address)
    analyst.open(scene)
    analyst.choose_model("told")
    analyst.classify()
    return analyst


def tell(analyst, layer: QgsVectorLayer) -> None:
    analyst.press(analyst.dock.map.side)
    dialog = analyst.plugin.desk.side.dialog
    dialog.layer.setLayer(layer)
    dialog.accept()
    analyst.settle()


def locator(analyst):
    bench = analyst.plugin.bench
    raster_crs = QgsCoordinateReferenceSystem("EPSG:32640")
    return bench.sessions.of(bench.controller.session).locator(raster_crs, QgsProject.instance().transformContext())


def extent(analyst):
    return analyst.plugin.bench.locator().placement.window


def test_points_steer_the_map_and_undo_takes_it_back(told):
    before = told.map().copy()
    tell(told, point_layer(*((x + 0.5, 80.5, 25.0, 3.0) for x in range(20, 140, 6))))
    assert told.controller.session.history.network.side.values.tolist()[0] == [25.0, 3.0]
    steered = told.map().copy()
    assert (steered != before).any()
    told.press(told.dock.marks.tools.undo)
    told.settle()
    assert np.array_equal(told.map(), before)
    told.press(told.dock.marks.tools.redo)
    told.settle()
    assert np.array_equal(told.map(), steered)


def test_what_was_told_can_be_forgotten(told):
    before = told.map().copy()
    tell(told, point_layer((40.5, 80.5, 25.0, 3.0)))
    told.press(told.dock.map.side)
    dialog = told.plugin.desk.side.dialog
    dialog.forget.click()
    told.settle()
    assert told.controller.session.history.network.side == NOWHERE
    assert np.array_equal(told.map(), before)


def test_fields_of_the_numbers_names_are_proposed_and_words_are_no_numbers(told):
    layer = point_layer((40.5, 80.5, 25.0, 3.0))
    told.press(told.dock.map.side)
    dialog = told.plugin.desk.side.dialog
    dialog.layer.setLayer(layer)
    assert dialog.chosen == ["height", "noise"]
    fields = dialog.fields["height"]
    assert [fields.itemText(index) for index in range(fields.count())] == ["height", "noise"]
    assert not dialog.forget.isEnabled()
    dialog.reject()


def test_a_model_that_is_told_nothing_offers_nothing(mapped):
    assert not mapped.dock.map.side.isVisible()


def test_points_that_lie_elsewhere_are_told_of_and_change_nothing(told):
    tell(told, point_layer((-500.0, 80.5, 25.0, 3.0)))
    until(lambda: told.window.messages(), "a message")
    assert "photographs" in told.window.messages()[-1]
    assert not told.controller.session.history.can_undo


def test_points_without_numbers_are_left_out_and_others_lie_on_their_pixels(told):
    layer = point_layer((10.25, 20.75, 1.0, 2.0), (30.0, 40.0, None, 2.0), (170.0, 5.0, 1.0, 1.0))
    side = read_points(layer, ["noise", "height"], locator(told), extent(told))
    np.testing.assert_allclose(side.points, [[10.25, 20.75]], atol=1e-3)
    assert side.values.tolist() == [[2.0, 1.0]]
    with pytest.raises(BadRequest):
        read_points(layer, ["words", "height"], locator(told), extent(told))


def test_a_project_remembers_what_its_map_was_made_from(told):
    tell(told, point_layer((40.5, 80.5, 25.0, 3.0), (90.5, 10.5, -5.0, 0.0)))
    network, model = told.controller.session.history.network, told.controller.session.model
    assert loads(dumps(network), model) == network
    assert loads('{"side": {"points": 7, "values": 8}}', model) == Network(legend=Legend.of(model))
