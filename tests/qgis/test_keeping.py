"""Nothing drawn is lost: projects saved and opened again, servers that die, files that move in with the project."""

from __future__ import annotations

import os
import signal
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import QSignalBlocker, Qt

from terrafine.qgis_plugin.link.process import GIVES_WAY
from terrafine.qgis_plugin.state import Link
from terrafine.tests.qgis.analyst import until

pytestmark = pytest.mark.qgis


def reopen(analyst, path: Path) -> None:
    """Close the project and open it again; the raster is chosen as it would be by hand."""
    project = QgsProject.instance()
    project.clear()
    assert project.read(str(path))
    raster = next(layer for layer in project.mapLayers().values() if layer.name() == "scene")
    analyst.dock.map.raster.setLayer(raster)


def save(analyst, path: Path) -> None:
    """Save the project, and let files that were waiting for that move in."""
    assert QgsProject.instance().write(str(path))
    folder = path.with_name(f"{path.stem}_terrafine")
    until(lambda: Path(analyst.map_layer.source()).parent == folder, "the files move in")
    waiting = Path(analyst.plugin.bench.settings.folder)
    until(lambda: not any(waiting.iterdir()), "the project is saved again and the old files go")


def text_of(project: Path) -> str:
    """What a project file says of its layers."""
    with zipfile.ZipFile(project) as archive:
        return archive.read(f"{project.stem}.qgs").decode()


def kill_server(analyst) -> None:
    os.kill(analyst.plugin.bench.server.pid, signal.SIGKILL)
    until(lambda: analyst.controller.link is Link.LOST, "the plugin notices")


@pytest.fixture
def own(analyst, scene):
    """The analyst with a local server of the plugin's own and a classified raster."""
    analyst.start_server()
    analyst.open(scene)
    analyst.choose_model()
    analyst.classify()
    return analyst


def test_marks_are_in_the_geopackage_at_once(mapped):
    mapped.mark(50.5, 40.5, 2)
    mapped.stroke(1, (20.5, 20.5), (60.5, 30.5))
    assert mapped.stored() == [(mark.id, mark.kind, mark.class_id) for mark in mapped.marks]


def test_a_saved_project_comes_back_with_its_map_and_its_marks(mapped, tmp_path):
    path = tmp_path / "projet déjà vu.qgz"
    mapped.mark(50.5, 40.5, 2)
    mapped.stroke(1, (20.5, 20.5), (60.5, 30.5))
    marks, result = mapped.marks, mapped.map()
    save(mapped, path)
    reopen(mapped, path)
    assert mapped.marks == marks
    assert np.array_equal(mapped.map(), result)
    assert mapped.controller.view().has_session


def test_terrafines_own_maps_are_not_offered_as_images_to_classify(mapped, tmp_path):
    path = tmp_path / "project.qgz"
    image = mapped.dock.map.current_raster().name()
    choices = mapped.dock.map.raster

    def offered():
        return [choices.layer(index).name() for index in range(choices.count())]

    assert offered() == [image]
    assert set(mapped.map().ravel()) <= {0, 1, 2}  # the work went on when the choices changed
    save(mapped, path)
    QgsProject.instance().clear()
    QgsProject.instance().read(str(path))
    assert offered() == [image]


def test_an_image_is_chosen_as_soon_as_there_is_one_whatever_qgis_chooses(analyst, scene):
    choices = analyst.dock.map.raster
    layer = QgsRasterLayer(str(scene), "scene")
    with QSignalBlocker(choices):
        QgsProject.instance().addMapLayer(layer)
        choices.setCurrentIndex(-1)
    analyst.dock.map.leave_out([])
    assert analyst.dock.map.current_raster() is layer


def test_marking_goes_on_in_a_project_that_was_opened_again(mapped, tmp_path):
    path = tmp_path / "project.qgz"
    mapped.mark(50.5, 40.5, 2)
    save(mapped, path)
    reopen(mapped, path)
    wrong = (int(mapped.map()[90, 90]) + 1) % 3
    mapped.mark(90.5, 90.5, wrong)
    assert mapped.map()[90, 90] == wrong
    assert mapped.map()[40, 50] == 2
    assert len(mapped.stored()) == 2


def test_a_project_can_be_marked_without_a_server_and_the_map_follows_later(mapped, address, tmp_path):
    path = tmp_path / "project.qgz"
    save(mapped, path)
    mapped.dock.server.stop_action.trigger()
    reopen(mapped, path)
    before = mapped.map()
    wrong = (int(before[90, 90]) + 1) % 3
    mapped.mark(90.5, 90.5, wrong)
    assert np.array_equal(mapped.map(), before)
    mapped.connect(address)
    mapped.settle()
    assert mapped.map()[90, 90] == wrong


def test_files_of_an_unsaved_project_move_in_beside_it_when_it_is_saved(mapped, tmp_path):
    mapped.mark(50.5, 40.5, 2)
    result = mapped.map()
    home = tmp_path / "elsewhere"
    home.mkdir()
    save(mapped, home / "project.qgz")
    assert Path(mapped.map_layer.source()).parent == home / "project_terrafine"
    assert np.array_equal(mapped.map(), result)
    assert np.array_equal(mapped.shown(), result)
    mapped.mark(90.5, 90.5, 1)
    assert len(mapped.stored()) == 2
    reopen(mapped, home / "project.qgz")
    assert len(mapped.marks) == 2


def test_a_moved_project_folder_still_opens(mapped, scene, tmp_path):
    home = tmp_path / "before"
    home.mkdir()
    scene.rename(home / scene.name)
    layer = next(iter(QgsProject.instance().mapLayersByName("scene")))
    layer.setDataSource(str(home / scene.name), "scene", "gdal")
    mapped.mark(50.5, 40.5, 2)
    save(mapped, home / "project.qgz")
    QgsProject.instance().clear()
    home.rename(tmp_path / "after")
    reopen(mapped, tmp_path / "after" / "project.qgz")
    assert len(mapped.marks) == 1
    assert mapped.map()[40, 50] == 2


def test_a_killed_server_is_noticed_and_said(own):
    kill_server(own)
    assert "gone" in own.dock.server.state.text()
    assert any("The local server has ended" in message for message in own.window.messages())
    assert not any(" INFO " in message for message in own.window.messages())  # its log's routine says nothing of why
    assert own.dock.server.start.isVisible()


def test_marks_drawn_while_the_server_is_dead_are_kept_and_heal_the_map_after_a_restart(own):
    own.mark(30.5, 30.5, 1)
    kill_server(own)
    before = own.map()
    wrong = (int(before[90, 90]) + 1) % 3
    own.mark(90.5, 90.5, wrong)
    assert len(own.stored()) == 2
    assert np.array_equal(own.map(), before)
    own.start_server()
    own.settle()
    assert own.map()[90, 90] == wrong
    assert own.map()[30, 30] == 1
    healed = own.map()
    own.classify()
    assert np.array_equal(own.map(), healed)


def test_a_server_killed_in_the_middle_of_its_work_loses_nothing(own):
    own.use("point")
    own.key(Qt.Key.Key_2)
    own.window.click(own.at(50.5, 40.5))  # and does not wait
    kill_server(own)
    assert own.controller.work is None
    assert len(own.stored()) == 1
    own.start_server()
    own.settle()
    assert own.map()[40, 50] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows prefers the window in front by itself")
def test_the_local_server_leaves_a_busy_core_to_qgis(own):
    assert os.getpriority(os.PRIO_PROCESS, own.plugin.bench.server.pid) == GIVES_WAY
    assert os.getpriority(os.PRIO_PROCESS, os.getpid()) < GIVES_WAY


def test_the_local_server_ends_when_the_plugin_is_unloaded(own):
    pid = own.plugin.bench.server.pid
    own.plugin.unload()
    until(lambda: not Path(f"/proc/{pid}").exists(), "the server has ended")


def test_the_export_is_a_compressed_copy_with_class_names_and_a_style(mapped, tmp_path):
    target = tmp_path / "für andere.tif"
    mapped.mark(50.5, 40.5, 2)
    mapped.plugin.desk.export(str(target))
    until(target.is_file, "the export is there")
    until(lambda: any("was saved" in message for message in mapped.window.messages()), "the plugin says so")
    dataset = gdal.Open(str(target))
    dataset.GetMetadata()  # makes this GDAL read the .aux.xml, too
    band = dataset.GetRasterBand(1)
    assert np.array_equal(band.ReadAsArray(), mapped.map())
    assert dataset.GetMetadataItem("COMPRESSION", "IMAGE_STRUCTURE") == "DEFLATE"
    assert band.GetCategoryNames() == ["water", "land", "building"]
    assert band.GetColorTable().GetColorEntry(2) == (0xEE, 0x66, 0x77, 255)
    assert target.with_suffix(".qml").is_file()


def test_refining_again_and_again_does_not_make_the_map_s_file_grow(mapped):
    size = os.path.getsize(mapped.map_layer.source())
    for step in range(6):
        mapped.mark(20.5 + 20 * step, 60.5, step % 3)
    assert os.path.getsize(mapped.map_layer.source()) == size


def test_both_layers_are_in_one_group_and_styled_with_the_legend(mapped):
    group = next(node for node in QgsProject.instance().layerTreeRoot().findGroups() if "Terrafine" in node.name())
    assert {layer.layerId() for layer in group.findLayers()} == {mapped.marks_layer.id(), mapped.map_layer.id()}
    names = ["water", "land", "building"]
    assert [category.label() for category in mapped.marks_layer.renderer().categories()] == names
    assert [item.label for item in mapped.map_layer.renderer().classes()] == names


def test_removing_the_layers_ends_the_session_and_classifying_begins_another(mapped):
    first = mapped.controller.session
    mapped.use("point")
    QgsProject.instance().removeMapLayers([mapped.marks_layer.id(), mapped.map_layer.id()])
    assert mapped.controller.session is None
    assert mapped.window.canvas.mapTool() is mapped.window.pan
    mapped.classify()
    assert mapped.controller.session.id != first.id


def test_locked_regions_are_a_layer_that_comes_back_with_the_project_and_holds(mapped, tmp_path):
    mapped.use("lock")
    for corner in ((30.5, 30.5), (60.5, 30.5), (60.5, 60.5), (30.5, 60.5)):
        mapped.window.click(mapped.at(*corner))
    mapped.key(Qt.Key.Key_Return)
    locks = mapped.controller.session.locks.marks
    save(mapped, tmp_path / "project.qgz")
    reopen(mapped, tmp_path / "project.qgz")
    assert mapped.controller.session.locks.marks == locks
    (layer,) = [item for item in QgsProject.instance().mapLayers().values() if item.name() == "Locked: scene"]
    assert [feature["kind"] for feature in layer.getFeatures()] == ["polygon"]
    before = mapped.map()
    mapped.mark(45.5, 45.5, (int(before[45, 45]) + 1) % 3)
    assert np.array_equal(mapped.map()[32:59, 32:59], before[32:59, 32:59])
