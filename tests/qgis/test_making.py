"""The files of a new session are made in a thread of their own: what the user and the server do meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from osgeo import gdal
from qgis.core import QgsProject

from terrafine.qgis_plugin.session_files import SessionFiles
from terrafine.tests.qgis import disks, scenes
from terrafine.tests.qgis.analyst import PATIENCE_S, until
from terrafine.tests.qgis.test_odd_use import told

pytestmark = pytest.mark.qgis
FULL_ANSWER = 4  # events at least: the raster is described, warnings, a patch, done


class Gate:
    """Where the making of files is held up."""

    def __init__(self) -> None:
        self.reached, self._opened = threading.Event(), threading.Event()
        self.thread = threading.main_thread()  # that passed it

    def open(self) -> None:
        self._opened.set()

    def pass_through(self) -> None:
        self.thread = threading.current_thread()
        self.reached.set()
        self._opened.wait(PATIENCE_S)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch):
    gate, make = Gate(), SessionFiles.make

    def held_up(files: SessionFiles, session: object) -> None:
        gate.pass_through()
        make(files, session)

    monkeypatch.setattr(SessionFiles, "make", held_up)
    yield gate
    gate.open()


@pytest.fixture
def beginning(analyst, address: str, scene: Path, gate: Gate):
    """The analyst has asked for a map whose files are not made yet."""
    analyst.connect(address)
    analyst.open(scene)
    analyst.choose_model()
    analyst.press(analyst.dock.map.classify)
    until(gate.reached.is_set, "the making of files has begun")
    return analyst


def end_making(analyst, gate: Gate) -> None:
    gate.open()
    until(lambda: not analyst.plugin.bench.sessions.is_making, "the files are made, or not")


def files(analyst) -> list[Path]:
    return list(Path(analyst.plugin.bench.settings.folder).iterdir())


def test_files_are_made_in_another_thread(beginning, gate):
    assert gate.thread is not threading.main_thread()
    assert not beginning.controller.view().has_session
    end_making(beginning, gate)
    assert beginning.controller.view().has_session
    assert {file.suffix for file in files(beginning)} >= {".gpkg", ".tif"}


def test_a_map_that_comes_before_its_files_waits_for_them(analyst, address, scene, gate):
    analyst.connect(address)
    analyst.open(scene)
    analyst.choose_model()
    events = []
    analyst.plugin.bench.worker.happened.connect(events.append)
    analyst.press(analyst.dock.map.classify)
    until(lambda: len(events) >= FULL_ANSWER, "the server has answered")
    assert analyst.controller.session.mapped.is_empty
    gate.open()
    analyst.settle()
    assert (analyst.map() != 255).all()
    analyst.mark(50.5, 40.5, 2)
    assert analyst.map()[40, 50] == 2


def test_work_that_is_cancelled_before_its_files_are_there_leaves_an_empty_map_to_go_on_with(beginning, gate):
    beginning.press(beginning.dock.map.cancel)
    end_making(beginning, gate)
    beginning.settle()
    session = beginning.controller.session
    beginning.classify()
    assert beginning.controller.session is session
    assert (beginning.map() != 255).all()


def test_an_image_removed_while_files_are_made_leaves_none_of_them(beginning, gate):
    QgsProject.instance().removeMapLayer(beginning.dock.map.current_raster().id())
    end_making(beginning, gate)
    assert beginning.controller.session is None
    assert not files(beginning)
    assert not QgsProject.instance().mapLayers()


def test_a_project_closed_while_files_are_made_leaves_none_of_them(beginning, gate, scene):
    QgsProject.instance().clear()
    end_making(beginning, gate)
    assert beginning.controller.session is None
    assert not files(beginning)
    beginning.open(scene)
    beginning.classify()
    assert (beginning.map() != 255).all()


def test_another_image_chosen_while_files_are_made_finds_the_first_one_s_session_later(beginning, gate, tmp_path):
    first, session = beginning.dock.map.current_raster(), beginning.controller.session
    beginning.open(scenes.projected(tmp_path / "other.tif"), "other")
    assert beginning.controller.session is None
    end_making(beginning, gate)
    beginning.dock.map.raster.setLayer(first)
    assert beginning.controller.session is session
    beginning.classify()
    assert (beginning.map() != 255).all()


@pytest.mark.parametrize("is_first", ["the thread", "the plugin"])
def test_unloading_while_files_are_made_leaves_neither_a_thread_nor_a_file(beginning, gate, is_first):
    folder = Path(beginning.plugin.bench.settings.folder)
    if is_first == "the thread":
        gate.open()
        gate.thread.join()  # what it has to say has not been heard yet
    else:
        threading.Timer(0.1, gate.open).start()
    beginning.leave()
    assert not gate.thread.is_alive()
    assert not list(folder.iterdir())
    assert not any("Terrafine" in group.name() for group in QgsProject.instance().layerTreeRoot().findGroups())


@disks.LINUX
def test_a_full_disk_is_said_where_another_plugin_has_switched_gdal_s_exceptions_on(analyst, address, scene):
    analyst.connect(address)
    analyst.open(scene)
    analyst.choose_model()
    gdal.UseExceptions()
    try:
        with disks.full():
            analyst.classify()
    finally:
        gdal.DontUseExceptions()
    assert told(analyst, "space left")
    assert analyst.controller.session is None
    assert not files(analyst)
