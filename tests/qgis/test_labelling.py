"""Somebody labels samples, by key and by mouse."""

from __future__ import annotations

import pytest
from qgis.core import QgsProject
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication, QPushButton

from terrafine.qgis_plugin.finish.labelling import Labelling
from terrafine.tests.qgis.processing_runs import blobs, class_map, run, run_for_layer

pytestmark = pytest.mark.usefixtures("provider")


@pytest.fixture
def sampled(window, tmp_path):
    """A project with a map and 12 samples of it."""
    the_map = class_map(tmp_path / "map.tif", blobs())
    QgsProject.instance().addMapLayer(the_map)
    samples = run_for_layer("samples", INPUT=the_map, NUMBER=12, ALLOCATION=0)
    QgsProject.instance().addMapLayer(samples)
    window.look_at(the_map.extent(), the_map.crs())
    return the_map, samples


@pytest.fixture
def labelling(window, sampled):
    labelling = Labelling(window)
    labelling.open()
    yield labelling
    labelling.close()
    QApplication.sendPostedEvents()


def press(window, key) -> None:
    QTest.keyClick(window.canvas, key)


def references(samples) -> list:
    return [feature["reference"] for feature in sorted(samples.getFeatures(), key=lambda f: f.id())]


def is_shown(layer) -> bool:
    return QgsProject.instance().layerTreeRoot().findLayer(layer.id()).itemVisibilityChecked()


def test_the_canvas_goes_to_the_first_sample(window, sampled, labelling):
    first = min(sampled[1].getFeatures(), key=lambda feature: feature.id())
    assert window.canvas.center().distance(first.geometry().asPoint()) < 0.01
    assert window.canvas.extent().width() < 200


def test_there_is_no_way_back_from_the_first_sample(window, sampled, labelling):
    assert not labelling.dock.back.isEnabled()
    press(window, Qt.Key.Key_1)
    assert labelling.dock.back.isEnabled()
    press(window, Qt.Key.Key_Backspace)
    assert not labelling.dock.back.isEnabled()


def test_without_samples_the_panel_says_where_they_come_from(window, qgis_app):
    labelling = Labelling(window)
    labelling.open()
    assert "Draw samples" in labelling.dock.words.text()
    assert labelling.dock.layer.toolTip()
    assert labelling.dock.progress.isHidden()
    assert labelling.dock.question.isHidden()
    labelling.close()
    QApplication.sendPostedEvents()


def test_number_keys_label_and_go_on(window, sampled, labelling):
    for key in (Qt.Key.Key_3, Qt.Key.Key_1, Qt.Key.Key_2):
        press(window, key)
    assert references(sampled[1])[:3] == [2, 0, 1]
    fourth = sorted(sampled[1].getFeatures(), key=lambda feature: feature.id())[3]
    assert window.canvas.center().distance(fourth.geometry().asPoint()) < 0.01
    assert labelling.dock.progress.text() == "3 of 12"


def test_a_click_on_a_class_labels_too(window, sampled, labelling):
    (building,) = (b for b in labelling.dock.findChildren(QPushButton) if b.text().endswith("building"))
    QTest.mouseClick(building, Qt.MouseButton.LeftButton)
    assert references(sampled[1])[0] == 2


def test_a_key_of_no_class_does_nothing(window, sampled, labelling):
    press(window, Qt.Key.Key_9)
    assert labelling.walk.labelled == 0


def test_what_is_skipped_comes_again_at_the_end_and_back_goes_back(window, sampled, labelling):
    press(window, Qt.Key.Key_N)
    second = labelling.walk.current().id()
    press(window, Qt.Key.Key_Backspace)
    first = labelling.walk.current().id()
    press(window, Qt.Key.Key_N)
    assert labelling.walk.current().id() == second != first
    for _ in range(11):
        press(window, Qt.Key.Key_1)
    assert labelling.walk.current().id() == first
    press(window, Qt.Key.Key_1)
    assert labelling.walk.current() is None
    assert "Assess accuracy" in labelling.dock.words.text()


def test_the_map_is_hidden_while_samples_are_labelled(sampled, labelling):
    the_map, samples = sampled
    assert not is_shown(the_map)
    assert is_shown(samples)
    labelling.dock.hide()
    assert is_shown(the_map)


def test_the_zoom_that_was_chosen_stays(window, labelling):
    window.canvas.zoomByFactor(0.5)
    width = window.canvas.extent().width()
    press(window, Qt.Key.Key_1)
    assert window.canvas.extent().width() == pytest.approx(width)


def test_keys_are_left_alone_when_the_panel_is_closed(window, sampled, labelling):
    labelling.dock.hide()
    press(window, Qt.Key.Key_1)
    assert set(map(str, references(sampled[1]))) == {"NULL"}


def test_a_layer_that_is_removed_ends_the_walk(sampled, labelling):
    QgsProject.instance().removeMapLayer(sampled[1].id())
    QApplication.processEvents()
    assert labelling.walk is None
    assert not labelling.dock.next.isEnabled()


def test_nothing_is_left_behind(window, sampled):
    before = set(window.canvas.scene().items()), window.raster_menu.isEmpty()
    labelling = Labelling(window)
    labelling.open()
    labelling.close()
    QApplication.sendPostedEvents()
    assert (set(window.canvas.scene().items()), window.raster_menu.isEmpty()) == before
    assert is_shown(sampled[0])


def test_labels_made_here_can_be_assessed(window, sampled, labelling):
    the_map, samples = sampled
    while labelling.walk.current() is not None:
        press(window, Qt.Key.Key_1 + labelling.walk.current()["map_class"])
    assert run("accuracy", INPUT=the_map, SAMPLES=samples, OUTPUT="memory:")[0]["OVERALL"] == 100.0
