"""Loading and unloading, connecting and failing to, rasters that are refused."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import QPoint
from qgis.PyQt.QtGui import QColor, QImage
from qgis.PyQt.QtWidgets import QApplication

from terrafine.qgis_plugin.settings import Settings
from terrafine.qgis_plugin.state import Link
from terrafine.tests.qgis.analyst import Analyst, until
from terrafine.tests.qgis.inventory import census, differences

pytestmark = pytest.mark.qgis


@pytest.fixture
def own_temporary_folder(tmp_path, monkeypatch):
    """Where nobody else makes files meanwhile."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


@pytest.mark.usefixtures("own_temporary_folder")
def test_unloading_leaves_nothing_behind(window, address, scene, models_folder, server_python, tmp_path):
    Settings(server_python=server_python, folder=str(tmp_path / "work")).save()
    a_day(window, address, scene)
    before = census(window, window.canvas)
    a_day(window, address, scene)
    assert differences(before, census(window, window.canvas)) == {}
    assert window.canvas.mapTool() is window.pan


def a_day(window, address, scene) -> None:
    """Load the plugin, map and mark something, unload it."""
    analyst = Analyst(window)
    analyst.connect(address)
    layer = analyst.open(scene)
    analyst.choose_model()
    analyst.classify()
    analyst.stroke(1, (30.5, 30.5), (60.5, 60.5))
    analyst.leave()
    QgsProject.instance().removeMapLayers([analyst.marks_layer.id(), analyst.map_layer.id(), layer.id()])
    window.canvas.waitWhileRendering()


@pytest.mark.usefixtures("own_temporary_folder")
def test_twenty_times_loaded_connected_and_unloaded_it_leaves_nothing_behind(window, address, server_python, tmp_path):
    Settings(server_python=server_python, folder=str(tmp_path / "work")).save()

    def load_and_unload() -> None:
        analyst = Analyst(window)
        analyst.connect(address)
        analyst.leave()

    load_and_unload()
    before = census(window, window.canvas)
    assert "listeners of extentsChanged" in before
    for _ in range(20):
        load_and_unload()
    assert differences(before, census(window, window.canvas)) == {}


def test_the_layers_stay_when_the_plugin_is_unloaded(mapped):
    mapped.mark(50.5, 40.5, 2)
    result = mapped.map()
    mapped.plugin.unload()
    assert len(mapped.stored()) == 1
    assert np.array_equal(mapped.map(), result)


def test_the_plugin_can_be_loaded_again_and_finds_its_sessions(mapped):
    mapped.mark(50.5, 40.5, 2)
    mapped.leave()
    again = Analyst(mapped.window)
    again.dock.map.raster.setLayer(QgsProject.instance().mapLayersByName("scene")[0])
    assert len(again.marks) == 1
    again.leave()


def test_without_pyzmq_the_dock_says_so_and_offers_the_command(window, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "zmq" else real(name, *rest))
    analyst = Analyst(window)
    assert "pip install" in analyst.dock.command.text()
    assert "pyzmq" in analyst.dock.command.text()
    analyst.press(analyst.dock.copy)
    assert QApplication.clipboard().text() == analyst.dock.command.text()
    monkeypatch.undo()
    analyst.press(analyst.dock.retry)
    assert analyst.controller.link is Link.OFFLINE  # the real dock is there
    analyst.leave()


def test_the_action_shows_and_hides_the_dock(analyst):
    analyst.plugin.action.trigger()
    assert not analyst.dock.isVisible()
    analyst.plugin.action.trigger()
    assert analyst.dock.isVisible()


def test_an_address_where_no_server_is_gives_a_message_that_helps(analyst):
    analyst.connect("tcp://127.0.0.1:9")
    assert analyst.controller.link is Link.LOST
    assert any("does not answer" in message for message in analyst.window.messages())
    assert analyst.dock.server.reconnect.isVisible()


def test_another_address_can_be_tried_after_one_that_failed(analyst, address):
    analyst.connect("tcp://127.0.0.1:9")
    analyst.connect(address)
    assert analyst.dock.map.model.count() >= 2


def test_a_python_without_the_server_gives_a_message_that_helps(window, tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'No module named terrafine.server' >&2\nexit 1\n")
    fake.chmod(0o755)
    Settings(server_python=str(fake), folder=str(tmp_path)).save()
    analyst = Analyst(window)
    analyst.press(analyst.dock.server.start)
    until(lambda: analyst.controller.link is Link.LOST, "the failure is noticed")
    assert any("No module named terrafine.server" in message for message in window.messages())
    analyst.leave()


def test_the_legend_follows_the_model(analyst, address):
    analyst.connect(address)
    analyst.choose_model("tiny")
    assert [analyst.dock.marks.legend.item(i).text() for i in range(3)] == ["water", "land", "building"]


def test_a_drawn_rectangle_is_what_is_classified(mapped):
    mapped.dock.map.rectangle.click()
    mapped.window.drag(mapped.at(20, 20), mapped.at(40, 40), mapped.at(60, 50))
    width, _, height = mapped.dock.map.area_note.text().split()[:3]
    assert int(width) == pytest.approx(41, abs=2)
    assert int(height) == pytest.approx(31, abs=2)
    assert mapped.window.canvas.mapTool() is mapped.window.pan


def test_a_vector_of_the_wrong_kind_of_provider_is_refused_with_the_reason(analyst, address, scene):
    analyst.connect(address)
    layer = QgsRasterLayer("crs=EPSG:32640&extent=0,0,10,10&width=10&height=10", "virtual", "virtualraster")
    assert "virtual" in layer.name()
    QgsProject.instance().addMapLayer(layer)
    analyst.dock.map.raster.setLayer(layer)
    assert "broken" in analyst.dock.map.area_note.text() or "not from a file" in analyst.dock.map.area_note.text()


@pytest.fixture
def base_map(tmp_path: Path) -> QgsRasterLayer:
    """An XYZ base map of some tiles at zoom 17, from files."""
    for x in range(85657, 85665):
        for y in range(56043, 56051):
            image = QImage(256, 256, QImage.Format.Format_RGB32)
            image.fill(QColor(40 * (x % 4) + 30, 50 * (y % 4) + 30, 90))
            folder = tmp_path / "tiles/17" / str(x)
            folder.mkdir(parents=True, exist_ok=True)
            image.save(str(folder / f"{y}.png"))
    url = f"type=xyz&url=file://{tmp_path}/tiles/{{z}}/{{x}}/{{y}}.png&zmin=17&zmax=17"
    return QgsRasterLayer(url, "base map", "wms")


def look_at_tiles(analyst, base_map: QgsRasterLayer) -> None:
    from qgis.core import QgsCoordinateReferenceSystem, QgsRectangle

    analyst.window.canvas.setRenderFlag(False)  # no need to wait for tiles of the whole world
    QgsProject.instance().addMapLayer(base_map)
    analyst.dock.map.raster.setLayer(base_map)
    side = 2 * 20037508.342789244 / 2**17
    west, north = -20037508.342789244 + 85660 * side, 20037508.342789244 - 56046 * side
    tile = QgsRectangle(west, north - side, west + side, north)
    analyst.window.look_at(tile, QgsCoordinateReferenceSystem("EPSG:3857"))


def test_a_base_map_is_sampled_at_the_chosen_size_and_classified(analyst, address, base_map):
    analyst.connect(address)
    look_at_tiles(analyst, base_map)
    analyst.dock.map.gsd.setValue(2.0)
    analyst.press(analyst.dock.map.classify)
    until(lambda: analyst.controller.session is not None, "the sample is there")
    analyst.settle()
    sample = analyst.dock.map.current_raster()
    assert sample.name() == "base map, sampled"
    assert analyst.controller.session.info.grid.gsd_m == pytest.approx(2.0, rel=0.02)
    assert (analyst.map() != 255).any()
    assert any("terms of use" in message for message in analyst.window.messages())


def test_a_base_map_over_too_large_an_area_is_refused_with_the_reason(analyst, address, base_map):
    analyst.connect(address)
    look_at_tiles(analyst, base_map)
    analyst.window.canvas.zoomByFactor(100)
    analyst.dock.map.gsd.setValue(0.1)
    assert "million pixels" in analyst.dock.map.area_note.text()
    analyst.press(analyst.dock.map.classify)
    assert any("Zoom in" in message for message in analyst.window.messages())
    assert analyst.controller.session is None


def test_settings_survive(analyst, window):
    analyst.dock.marks.width.setValue(17)
    analyst.leave()
    assert Settings.load().stroke_width_px == 17


def test_a_stroke_outside_the_image_is_none(mapped):
    mapped.use("stroke")
    mapped.window.drag(QPoint(1, 1), QPoint(5, 5))
    assert mapped.marks == ()
