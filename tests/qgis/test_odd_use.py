"""Odd use does no harm: layers that go, disks that are full, servers of tomorrow. What is told helps, marks stay."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import numpy as np
import pytest
from qgis.core import QgsProject, QgsVectorLayer

from terrafine.qgis_plugin.state import Kind, Link
from terrafine.tests.qgis import disks, scenes
from terrafine.tests.qgis.analyst import until
from terrafine.tests.qgis.servers import served
from terrafine.tests.qgis.test_keeping import reopen, save, text_of

pytestmark = pytest.mark.qgis
LARGE_PX = 500  # a side: long enough at work to be disturbed
LATER = """
from terrafine.server.cli import main
from terrafine.shared import wire
wire.PROTOCOL_VERSION = 99
main()
"""


@pytest.fixture
def busy(analyst, address: str, tmp_path: Path):
    """The analyst while a large raster is being classified."""
    analyst.connect(address)
    analyst.open(scenes.projected(tmp_path / "large.tif", LARGE_PX))
    analyst.choose_model()
    analyst.press(analyst.dock.map.classify)
    until(lambda: not analyst.controller.session.mapped.is_empty, "the first patches are there")
    assert analyst.controller.work is not None
    return analyst


def told(analyst, *words: str) -> bool:
    """Is there a message with all these words?"""
    return any(all(word in message for word in words) for message in analyst.window.messages())


# ---- layers and projects that go -------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["marks", "map"])
def test_a_layer_deleted_during_classification_ends_it_and_its_marks_are_kept(busy, role):
    busy.use("point")
    busy.window.click(busy.at(250.5, 250.5))
    file, mark = Path(busy.marks_layer.source().split("|")[0]), busy.marks[0]
    QgsProject.instance().removeMapLayer(busy._layer(role).id())
    assert busy.controller.session is None
    assert told(busy, "'scene' has ended", "marks (1)", str(file), "import")
    kept = QgsVectorLayer(f"{file}|layername=marks", "kept", "ogr")
    assert [feature["mark_id"] for feature in kept.getFeatures()] == [mark.id]
    busy.settle()
    busy.classify()  # begins anew
    anew = busy.plugin.bench.sessions.of(busy.controller.session)
    assert (busy.shown(anew.map.layer) != 255).all()


def test_an_image_deleted_during_classification_and_added_again_finds_its_marks(busy, tmp_path):
    busy.use("point")
    busy.window.click(busy.at(250.5, 250.5))
    session = busy.controller.session
    QgsProject.instance().removeMapLayer(busy.dock.map.current_raster().id())
    assert busy.controller.session is None
    busy.settle()
    busy.open(tmp_path / "large.tif")
    assert busy.controller.session is session
    assert len(busy.marks) == 1
    busy.settle()  # the map follows the mark
    busy.classify()
    assert (busy.map() != 255).all()


def test_a_project_closed_during_learning_has_all_its_marks_when_it_is_opened_again(mapped, tmp_path):
    mapped.mark(50.5, 40.5, 2)
    mapped.mark(90.5, 90.5, 1)
    before = mapped.map()
    save(mapped, tmp_path / "project.qgz")
    mapped.press(mapped.dock.learn.learn)
    assert mapped.controller.work.kind is Kind.LEARNING
    QgsProject.instance().clear()
    assert mapped.controller.session is None
    mapped.settle()
    reopen(mapped, tmp_path / "project.qgz")
    assert len(mapped.marks) == 2
    assert np.array_equal(mapped.map(), before)
    mapped.press(mapped.dock.learn.learn)
    mapped.settle()
    assert mapped.controller.view().has_learnt


def test_a_project_that_is_closed_before_it_was_saved_says_where_its_marks_are(mapped):
    mapped.mark(50.5, 40.5, 2)
    file = mapped.marks_layer.source().split("|")[0]
    QgsProject.instance().clear()
    assert told(mapped, "closed before it was saved", file)
    assert QgsVectorLayer(f"{file}|layername=marks", "kept", "ogr").featureCount() == 1


# ---- disks -----------------------------------------------------------------------------------------------------------


@disks.LINUX
def test_marks_of_the_time_when_the_disk_was_full_are_written_when_there_is_room(mapped):
    mapped.mark(90.5, 90.5, 1)
    with disks.full():
        mapped.mark(50.5, 40.5, 2)
        mapped.mark(60.5, 40.5, 2)
        mapped.dock.marks.tools.undo_asked.emit()
        mapped.settle()
        assert told(mapped, "marks could not be saved", "make room")
        assert told(mapped, "map could not be saved")
        assert len(mapped.marks) == 2
    mapped.mark(30.5, 30.5, 2)
    assert mapped.stored() == [(mark.id, mark.kind, mark.class_id) for mark in mapped.marks]
    assert [mapped.map()[row, col] for col, row in ((90, 90), (50, 40), (30, 30))] == [1, 2, 2]


@disks.LINUX
def test_a_mark_that_could_not_be_erased_is_erased_when_there_is_room(mapped):
    mapped.mark(90.5, 90.5, 1)
    mapped.mark(50.5, 40.5, 2)
    with disks.full():
        mapped.dock.marks.tools.undo_asked.emit()
        mapped.settle()
        assert len(mapped.stored()) == 2
    QgsProject.instance().write(str(Path(mapped.plugin.bench.settings.folder).with_name("project.qgz")))
    assert mapped.stored() == [(mark.id, mark.kind, mark.class_id) for mark in mapped.marks]
    assert len(mapped.marks) == 1


@disks.LINUX
def test_a_disk_that_fills_up_while_a_map_is_made_is_said_once_and_the_next_map_is_whole(analyst, address, tmp_path):
    analyst.connect(address)
    analyst.open(scenes.projected(tmp_path / "large.tif", LARGE_PX))
    analyst.choose_model()
    analyst.press(analyst.dock.map.classify)
    until(lambda: analyst.controller.session.is_kept, "its files are made")
    with disks.full():
        analyst.settle()
    said = [message for message in analyst.window.messages() if "map could not be saved" in message]
    assert len(said) == 1
    assert "has space left" in said[0]
    analyst.classify()
    assert (analyst.map() != 255).all()
    assert np.array_equal(analyst.shown(), analyst.map())


@disks.LINUX
def test_a_disk_that_is_full_from_the_start_leaves_no_session_and_no_half_made_files(analyst, address, scene):
    analyst.connect(address)
    analyst.open(scene)
    analyst.choose_model()
    with disks.full():
        analyst.classify()
    assert told(analyst, "file for the marks could not be made", "space left")
    assert analyst.controller.session is None
    assert not list(Path(analyst.plugin.bench.settings.folder).iterdir())
    analyst.classify()
    assert (analyst.map() != 255).all()


@disks.LINUX
def test_marks_in_a_read_only_folder_move_along_when_the_project_is_saved_elsewhere(mapped, tmp_path):
    mapped.mark(90.5, 90.5, 1)
    (tmp_path / "archive").mkdir()
    save(mapped, tmp_path / "archive" / "project.qgz")
    with disks.read_only(tmp_path / "archive"):
        mapped.mark(50.5, 40.5, 2)
        assert told(mapped, "marks could not be saved", "save the project elsewhere")
        assert len(mapped.stored()) == 1
        (tmp_path / "mine").mkdir()
        assert QgsProject.instance().write(str(tmp_path / "mine" / "project.qgz"))
        assert len(mapped.stored()) == 2
        until(lambda: "archive" not in text_of(tmp_path / "mine" / "project.qgz"), "the project is saved again")
    assert Path(mapped.map_layer.source()).parent == tmp_path / "mine" / "project_terrafine"
    reopen(mapped, tmp_path / "mine" / "project.qgz")
    assert len(mapped.marks) == 2
    reopen(mapped, tmp_path / "archive" / "project.qgz")
    assert len(mapped.marks) == 1


@disks.LINUX
def test_a_project_in_a_read_only_folder_cannot_begin_a_session_and_says_why(analyst, address, scene, tmp_path):
    (tmp_path / "archive").mkdir()
    assert QgsProject.instance().write(str(tmp_path / "archive" / "project.qgz"))
    analyst.connect(address)
    analyst.open(scene)
    analyst.choose_model()
    with disks.read_only(tmp_path / "archive"):
        analyst.classify()
    assert told(analyst, "project_terrafine cannot be made: Permission denied", "Save the project where you may write")
    assert analyst.controller.session is None


# ---- servers and rasters ---------------------------------------------------------------------------------------------


@pytest.fixture
def later_server(server_python: str, models_folder: Path) -> Iterator[str]:
    """The address of a server that speaks a later version of the protocol."""
    with served(server_python, models_folder, program=("-c", LATER)) as address:
        yield address


def test_a_server_of_another_version_is_not_connected_to_and_marks_go_on(mapped, later_server, address):
    mapped.connect(later_server)
    assert mapped.controller.link is Link.LOST
    assert told(mapped, "different versions", "Install the same version")
    mapped.mark(50.5, 40.5, 2)
    assert len(mapped.stored()) == 1
    mapped.connect(address)
    mapped.settle()
    assert mapped.map()[40, 50] == 2


def test_a_raster_without_crs_is_classified_with_a_word_of_caution_and_can_be_marked(analyst, address, tmp_path):
    analyst.connect(address)
    analyst.open(scenes.nowhere(tmp_path / "nowhere.tif"))
    analyst.choose_model()
    analyst.classify()
    assert told(analyst, "size of the raster's pixels on the ground is unknown")
    wrong = (int(analyst.map()[40, 50]) + 1) % 3
    analyst.mark(50.5, 40.5, wrong)
    assert analyst.map()[40, 50] == wrong
    assert len(analyst.stored()) == 1


def test_an_empty_raster_says_that_nothing_was_classified(analyst, address, tmp_path):
    dataset = scenes.write(tmp_path / "empty.tif", np.zeros((3, 160, 160), np.uint8))
    for number in (1, 2, 3):
        dataset.GetRasterBand(number).SetNoDataValue(0)
    del dataset
    analyst.connect(address)
    analyst.open(tmp_path / "empty.tif")
    analyst.choose_model()
    analyst.classify()
    assert (analyst.map() == 255).all()
    assert told(analyst, "Nothing was classified", "nodata value")


def test_a_raster_of_one_pixel_is_classified(analyst, address, tmp_path):
    scenes.write(tmp_path / "pixel.tif", scenes.noise(3)[:, :1, :1])
    analyst.connect(address)
    analyst.open(tmp_path / "pixel.tif")
    analyst.choose_model()
    analyst.classify()
    assert analyst.map().shape == (1, 1)
    assert analyst.map()[0, 0] in (0, 1, 2)
