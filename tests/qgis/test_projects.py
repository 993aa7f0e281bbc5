"""Projects come back whole: elsewhere, on another machine, against another server, with several images at once."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsProject
from qgis.PyQt.QtCore import QCoreApplication, Qt

from terrafine.qgis_plugin.state import Kind, Link
from terrafine.tests.qgis import scenes
from terrafine.tests.qgis.servers import served
from terrafine.tests.qgis.test_keeping import reopen, save

pytestmark = pytest.mark.qgis


def told(analyst, *words: str) -> bool:
    return any(all(word in message for word in words) for message in analyst.window.messages())


def other_class(analyst, col: int, row: int) -> int:
    return (int(analyst.map()[row, col]) + 1) % 3


@pytest.fixture
def home(analyst, address: str, tmp_path: Path):
    """The analyst with a saved project: its image, marks, a locked region, uncertainty and a review, all at home."""
    folder = tmp_path / "my computer"
    folder.mkdir()
    analyst.connect(address)
    analyst.open(scenes.projected(folder / "scène.tif"))
    analyst.choose_model()
    analyst.classify()
    analyst.mark(50.5, 40.5, other_class(analyst, 50, 40))
    analyst.use("lock")
    for corner in ((90.5, 90.5), (120.5, 90.5), (120.5, 120.5)):
        analyst.window.click(analyst.at(*corner))
    analyst.key(Qt.Key.Key_Return)
    for button in (analyst.dock.look.measure, analyst.dock.look.begin):
        button.click()
        analyst.settle()
    save(analyst, folder / "project.qgz")
    return analyst


def test_everything_comes_back_in_another_folder_on_another_server(home, server_python, models_folder, tmp_path):
    session, result = home.controller.session, home.map()
    QgsProject.instance().clear()
    there = tmp_path / "her computer" / "données"
    shutil.copytree(tmp_path / "my computer", there)
    shutil.rmtree(tmp_path / "my computer")
    with served(server_python, models_folder) as elsewhere:
        home.connect(elsewhere)
        reopen(home, there / "project.qgz")
        again = home.controller.session
        assert (again.log.marks, again.locks.marks) == (session.log.marks, session.locks.marks)
        assert (again.id, again.model, again.mapped) == (session.id, session.model, session.mapped)
        assert again.review.patches == session.review.patches
        assert np.array_equal(home.map(), result)
        assert Path(home._layer("uncertainty").source()).parent == there / "project_terrafine"
        wrong = other_class(home, 20, 20)
        home.mark(20.5, 20.5, wrong)
        assert home.map()[20, 20] == wrong
        home.dock.server.stop_action.trigger()
    assert "my computer" not in (there / "project.qgz").read_bytes().decode("latin-1")


def test_paths_in_the_project_are_relative(home, tmp_path):
    project = QgsProject.instance()
    assert project.write(str(tmp_path / "my computer" / "plain.qgs"))
    text = (tmp_path / "my computer" / "plain.qgs").read_text("utf-8")
    sources = re.findall("<datasource>(.+)</datasource>", text)
    assert len(sources) == 6
    assert all(source.startswith("./") for source in sources)


def test_what_was_learnt_stays_with_its_server_and_another_server_says_so(
    home, address, server_python, models_folder, tmp_path
):
    home.press(home.dock.learn.learn)
    home.settle()
    learnt = home.map()
    save_again(home)
    with served(server_python, models_folder) as elsewhere:
        home.connect(elsewhere)
        home.mark(20.5, 20.5, other_class(home, 20, 20))
        home.settle()
        assert told(home, "does not have what was learnt", "Learn again from your marks")
        assert not home.controller.view().has_learnt
        assert len(home.marks) == 2
        home.dock.server.stop_action.trigger()
    home.connect(address)
    reopen(home, tmp_path / "my computer" / "project.qgz")
    assert home.controller.view().has_learnt  # as it was saved, and its own server has it still
    home.mark(130.5, 30.5, other_class(home, 130, 30))
    assert home.controller.view().has_learnt
    assert (home.map() == learnt).mean() > 0.5


def save_again(analyst) -> None:
    assert QgsProject.instance().write()


def test_a_model_that_another_server_lacks_is_named_and_marks_go_on(
    home, address, server_python, models_folder, tmp_path
):
    few = tmp_path / "few models"
    shutil.copytree(models_folder / "tiny-two", few / "tiny-two")
    before = home.map()
    with served(server_python, few) as elsewhere:
        home.connect(elsewhere)
        assert home.controller.link is Link.ONLINE
        assert told(home, "does not have the model 'tiny'", "Copy the model's folder", "another model")
        wrong = other_class(home, 20, 20)
        home.mark(20.5, 20.5, wrong)
        assert len(home.stored()) == 2
        assert np.array_equal(home.map(), before)
        home.dock.server.stop_action.trigger()
    home.connect(address)
    home.settle()
    assert home.map()[20, 20] == wrong


@pytest.fixture
def two(mapped, tmp_path: Path):
    """The analyst with two images, "scene" and "other", each with a map; "other" is at work."""
    mapped.open(scenes.rotated(tmp_path / "other.tif"), "other")
    mapped.classify()
    return mapped


def switch(analyst, name: str):
    """Choose an image; returns its session."""
    analyst.dock.map.raster.setLayer(QgsProject.instance().mapLayersByName(name)[0])
    return analyst.controller.session


def map_of(analyst, session) -> np.ndarray:
    return gdal.Open(analyst.plugin.bench.sessions.of(session).map.layer.source()).ReadAsArray()


def test_two_images_have_a_session_each_and_marks_go_where_they_are_drawn(two):
    other, scene = two.controller.session, switch(two, "scene")
    assert other is not scene
    two.window.look_at(two.dock.map.current_raster().extent())
    two.mark(50.5, 40.5, 2)
    assert (len(scene.log.marks), len(other.log.marks)) == (1, 0)
    assert map_of(two, scene)[40, 50] == 2
    assert switch(two, "other") is other
    two.window.look_at(two.dock.map.current_raster().extent())
    two.mark(70.5, 70.5, 1)
    assert (len(scene.log.marks), len(other.log.marks)) == (1, 1)
    assert map_of(two, other)[70, 70] == 1


def test_switching_to_another_image_in_the_middle_of_work_loses_nothing(two):
    other, scene = two.controller.session, switch(two, "scene")
    two.window.look_at(two.dock.map.current_raster().extent())
    wrong = (int(map_of(two, scene)[40, 50]) + 1) % 3
    two.use("point")
    two.key(Qt.Key.Key_1 + wrong)
    two.window.click(two.at(50.5, 40.5))  # and does not wait
    before = map_of(two, other)
    assert two.controller.work.kind is Kind.REFINING
    switch(two, "other")
    two.settle()
    assert np.array_equal(map_of(two, other), before)
    switch(two, "scene")
    two.settle()
    assert map_of(two, scene)[40, 50] == wrong
    assert [mark.class_id for mark in scene.log.marks] == [wrong]


def test_two_images_come_back_with_the_project(two, tmp_path):
    other, scene = two.controller.session, switch(two, "scene")
    maps = [map_of(two, session) for session in (other, scene)]
    save(two, tmp_path / "project.qgz")
    QgsProject.instance().clear()
    assert QgsProject.instance().read(str(tmp_path / "project.qgz"))
    again = [switch(two, name) for name in ("other", "scene")]
    assert [session.id for session in again] == [other.id, scene.id]
    assert all(np.array_equal(map_of(two, session), before) for session, before in zip(again, maps))


def test_a_project_that_is_opened_again_at_once_is_not_written_half_read(two, tmp_path):
    project = QgsProject.instance()
    assert project.write(str(tmp_path / "project.qgz"))
    project.clear()  # before the files' new place could be saved
    assert project.read(str(tmp_path / "project.qgz"))
    QCoreApplication.processEvents()
    assert all(layer.isValid() for layer in project.mapLayers().values())
    assert [switch(two, name) is not None for name in ("other", "scene")] == [True, True]


def test_a_map_whose_files_were_not_copied_along_is_named(home, tmp_path):
    QgsProject.instance().clear()
    shutil.rmtree(tmp_path / "my computer" / "project_terrafine")
    reopen(home, tmp_path / "my computer" / "project.qgz")
    assert home.controller.session is None
    assert told(home, "Marks: scene", "is missing", "Copy the folder whose name ends in _terrafine")


def test_an_image_that_is_found_again_after_opening_brings_its_session_back(home, tmp_path):
    QgsProject.instance().clear()
    image = tmp_path / "my computer" / "scène.tif"
    image.rename(tmp_path / "moved.tif")
    reopen(home, tmp_path / "my computer" / "project.qgz")
    assert home.controller.session is None
    assert told(home, "'scene' is broken", "Repair its data source")
    layer = QgsProject.instance().mapLayersByName("scene")[0]
    layer.setDataSource(str(tmp_path / "moved.tif"), "scene", "gdal")
    home.dock.map.raster.setLayer(None)
    home.dock.map.raster.setLayer(layer)
    assert len(home.marks) == 1
