"""Three nodes of Ray on this machine: maps by them are those of one machine, whatever dies meanwhile, and an analyst's
session outlives the engine that holds it, with all that is in it.

Both in one file, so that no other process of tests starts nodes beside these.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

from terrafine.models import registry
from terrafine.server.cli import main
from terrafine.server.engine import engine
from terrafine.server.engine.session import Session
from terrafine.server.gateway.admin import ask
from terrafine.server.rasters.raster_io import Raster, open_raster
from terrafine.server.rasters.work_file import WorkFile
from terrafine.shared.annotation import Annotation, AnnotationLog, Delta
from terrafine.shared.client import Client
from terrafine.shared.errors import EngineRestarted
from terrafine.shared.geo import Window, slices
from terrafine.shared.learning import LearnOptions
from terrafine.shared.patch import Patch
from terrafine.shared.transport import ZmqTransport

pytest.importorskip("ray", reason="needs terrafine[cluster]")
QUICK = LearnOptions("decoder", steps=2, rate=0.3)
SIZE = (900, 700)


# ---- predict --ray -------------------------------------------------------------------------------------------------


@pytest.fixture
def predict(models: Path) -> Callable[..., int]:
    """predict(raster, map, *words): the exit code"""
    fixed = ["--model", "tiny", "--models", str(models), "--device", "cpu", "--threads", "1"]
    return lambda raster, out, *words: main(["predict", str(raster), str(out), *fixed, *words])


@pytest.fixture
def on_patch(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """on_patch(n, act): once n patches have come, act."""
    add, came = WorkFile.add, []

    def set_up(number: int, act: Callable[[], None]) -> None:
        def counted(work: WorkFile, *patch) -> None:
            add(work, *patch)
            came.append(patch)
            if len(came) == number:
                act()

        monkeypatch.setattr(WorkFile, "add", counted)

    return set_up


@pytest.fixture
def image(tmp_path: Path, write, scene) -> Path:
    return write(tmp_path / "scene.tif", scene(*SIZE))


@pytest.fixture
def alone(predict, image: Path) -> np.ndarray:
    """The map without Ray."""
    assert predict(image, image.with_name("alone.tif")) == 0
    return pixels(image.with_name("alone.tif"))


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def test_the_map_is_that_of_one_machine_though_a_node_dies_in_the_middle(
    cluster, predict, on_patch, image: Path, alone: np.ndarray
) -> None:
    on_patch(9, cluster.kill_a_node)
    assert predict(image, image.with_name("map.tif"), "--ray", cluster.address) == 0
    np.testing.assert_array_equal(pixels(image.with_name("map.tif")), alone)


def test_what_a_cluster_has_finished_is_not_made_again_by_one_machine(
    cluster, predict, on_patch, image: Path, alone: np.ndarray
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    out = image.with_name("map.tif")
    on_patch(9, interrupt)
    assert predict(image, out, "--ray", cluster.address) == 130
    made: list[int] = []
    on_patch(1, lambda: made.append(1))
    assert predict(image, out) == 0
    np.testing.assert_array_equal(pixels(out), alone)


def test_of_a_folder_each_raster_has_its_map_and_is_not_made_twice(
    cluster, predict, on_patch, write, scene, tmp_path: Path
) -> None:
    sheets, maps, alone = tmp_path / "sheets", tmp_path / "maps", tmp_path / "alone"
    sheets.mkdir()
    for number, size in enumerate([(300, 200), (150, 400), (90, 90)]):
        write(sheets / f"sheet{number}.tif", scene(*size))
    assert predict(sheets, maps, "--ray", cluster.address) == 0
    made: list[int] = []
    on_patch(1, lambda: made.append(1))
    (maps / "sheet1.tif").unlink()
    assert predict(sheets, maps) == 0
    assert predict(sheets, alone) == 0
    for number in range(3):
        np.testing.assert_array_equal(pixels(maps / f"sheet{number}.tif"), pixels(alone / f"sheet{number}.tif"))


# ---- serve --ray ---------------------------------------------------------------------------------------------------


class Team:
    """A server on the cluster, and the analysts who use it."""

    def __init__(self, process: subprocess.Popen, state: Path) -> None:
        line = process.stdout.readline()
        self.client, self.state = Client(ZmqTransport(json.loads(line)["address"])), state

    @property
    def engines(self) -> list[dict]:
        """Those that are there, as the administrator sees them."""
        return ask(self.state, "status")["engine"]["engines"]

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 240
        while len(self.engines) < count:
            assert time.monotonic() < deadline, "the engines do not come"
            time.sleep(0.5)

    def wait_for_sessions(self, count: int) -> None:
        """What the engines told last may be old."""
        deadline = time.monotonic() + 60
        while sum(engine["figures"]["sessions"] for engine in self.engines) != count:
            assert time.monotonic() < deadline, "the engines do not tell of their sessions"
            time.sleep(0.2)

    def holders(self, count: int) -> list[dict]:
        """The engines that hold the sessions, each one."""
        self.wait_for_sessions(count)
        found = [engine for engine in self.engines if engine["figures"]["sessions"]]
        assert [engine["figures"]["sessions"] for engine in found] == [1] * count
        return found

    def again(self, ask) -> object:
        """As the plugin does: once more where the engine broke down meanwhile."""
        try:
            return ask()
        except EngineRestarted:
            return ask()


@pytest.fixture(scope="module")
def team(nodes, start_server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    nodes.make_whole()
    state = tmp_path_factory.mktemp("shared") / "state"
    words = ["--exit-with-stdin", "--threads", "1", "--device", "cpu", "--state-dir", str(state)]
    process = start_server(*words, "--ray", nodes.address)
    team = Team(process, state)
    yield team
    team.client.close()
    process.stdin.close()
    assert process.wait(60) == 0


class Unread:
    """A raster whose pixels the server has been sent."""

    def __init__(self, raster: Raster) -> None:
        self.info = raster.info

    def read(self, _window: Window) -> Patch:
        raise AssertionError("the server asks for pixels that it was sent")


def test_a_session_survives_its_engine_with_every_mark_and_what_it_learnt(team: Team, raster, mapped) -> None:
    client, log = team.client, AnnotationLog()
    client.open_session("s", "tiny", raster.info)
    for number in range(3):
        mark = Annotation(str(number), "point", ((40.5 + 90 * number, 60.5),), number % 3)
        client.change_annotations("s", log.add(mark))
    list(client.learn("s", log.revision, log.revision + 1, raster.read, QUICK))
    log.apply(Delta(log.revision, log.revision + 1))
    before = mapped(client, "s", raster)
    team.wait_for(2)

    os.kill(team.holders(1)[0]["pid"], signal.SIGKILL)

    mark = Annotation("last", "point", ((400.5, 100.5),), 1)
    np.testing.assert_array_equal(team.again(lambda: mapped(client, "s", Unread(raster))), before)
    assert client.change_annotations("s", log.add(mark)).revision == log.revision
    opened = client.open_session("s", "tiny", raster.info)
    assert (opened.revision, opened.weights != "") == (log.revision, True)
    client.close_session("s")


def test_a_whole_map_is_made_by_all_engines_and_is_that_of_one(
    team: Team, models: Path, tmp_path, write, scene
) -> None:
    predictor = registry.load_predictor(models / "tiny", "cpu")
    with open_raster(write(tmp_path / "large.tif", scene(1600, 1600)), predictor.spec) as large:
        team.wait_for(3)
        team.client.open_session("whole", "tiny", large.info)
        items = list(team.client.predict("whole", large.info.grid.window, large.read))
        alone = list(engine.predict(Session(large.info, large, predictor), large.info.grid.window))
    np.testing.assert_array_equal(painted(items, 1600), painted(alone, 1600))
    team.client.close_session("whole")
    blocks = sum(made["figures"]["blocks_made"] for made in team.engines)
    assert blocks > 0, "no engine helped"


def painted(items: list, side: int) -> np.ndarray:
    """The map; each pixel comes once."""
    out = np.full((side, side), 77, np.uint8)
    for item in items:
        if isinstance(item, Patch):
            assert (out[slices(item.window, Window(0, 0, side, side))] == 77).all()
            out[slices(item.window, Window(0, 0, side, side))] = item.array[0]
    return out


def test_sixteen_sessions_of_a_client_are_open_in_all_engines_together(team: Team, raster, mapped) -> None:
    team.wait_for(3)
    names = [f"one of many {number}" for number in range(20)]
    team.client.open_session(names[0], "tiny", raster.info)
    before = mapped(team.client, names[0], raster)
    for name in names[1:]:
        team.client.open_session(name, "tiny", raster.info)
    time.sleep(3.0)  # of what the engines told before hardly anything is left
    team.wait_for_sessions(16)
    np.testing.assert_array_equal(mapped(team.client, names[0], Unread(raster)), before)
    for name in names:
        team.client.close_session(name)


def test_sessions_move_off_a_node_that_is_to_leave(team: Team, nodes, raster, mapped) -> None:
    team.wait_for(3)
    for name in ("s", "t"):
        team.client.open_session(name, "tiny", raster.info)
    before = [mapped(team.client, name, raster) for name in ("s", "t")]
    leaving = next(engine for engine in team.holders(2) if engine["node"] != nodes.head)
    nodes.drain(leaving["node"])
    deadline = time.monotonic() + 120
    while leaving["birth"] in [engine["birth"] for engine in team.engines]:
        assert time.monotonic() < deadline, "the engine stays"
        time.sleep(0.5)
    for name, expected in zip(("s", "t"), before):
        np.testing.assert_array_equal(mapped(team.client, name, Unread(raster)), expected)
    assert leaving["node"] not in [engine["node"] for engine in team.engines]
