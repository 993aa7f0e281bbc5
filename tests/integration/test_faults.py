"""An engine and a server that are killed, at each stage of the work: no mark is lost, and no map is wrong."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from terrafine.server.cli import main
from terrafine.server.gateway.admin import ask
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.client import Client
from terrafine.shared.errors import EngineRestarted
from terrafine.shared.geo import Window
from terrafine.shared.learning import LearnOptions, RankOptions
from terrafine.shared.messages import Progress
from terrafine.shared.patch import Patch
from terrafine.shared.transport import ZmqTransport

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for a process's children")
LONG = LearnOptions("decoder", steps=40, rate=0.01)
QUICK = LearnOptions("decoder", steps=2, rate=0.3)
NAMES = (f"s{number}" for number in count())


def engine_of(pid: int) -> int:
    """The engine's process of a server; 0 while there is none."""
    of_threads = (file.read_text().split() for file in Path(f"/proc/{pid}/task").glob("*/children"))
    children = (child for found in of_threads for child in found)
    engines = (int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes())
    return next(engines, 0)


def connected(process) -> Client:
    process.address = json.loads(process.stdout.readline())["address"]
    return Client(ZmqTransport(process.address))


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("state") / "state"


@pytest.fixture(scope="module")
def server(start_server, state: Path) -> Iterator:
    process = start_server("--exit-with-stdin", "--threads", "1", "--state-dir", str(state))
    process.client = connected(process)
    yield process
    process.client.close()
    process.stdin.close()
    assert process.wait(60) == 0


@pytest.fixture
def kill(server) -> Callable[[], None]:
    return lambda: os.kill(engine_of(server.pid), signal.SIGKILL)


class Analyst:
    """A session with marks, as the plugin has it."""

    def __init__(self, client: Client, raster, mapped) -> None:
        self.client, self.raster, self.mapped, self.session = client, raster, mapped, next(NAMES)
        self.log = AnnotationLog()
        client.open_session(self.session, "tiny", raster.info)

    def mark(self, number: int) -> None:
        place = ((40.5 + 90 * number, 60.5 + 20 * number),)
        self.client.change_annotations(self.session, self.log.add(Annotation(str(number), "point", place, number % 3)))

    def map(self) -> np.ndarray:
        return self.mapped(self.client, self.session, self.raster)

    def expected(self) -> np.ndarray:
        """The map of a session that nothing ever happened to."""
        other = Analyst(self.client, self.raster, self.mapped)
        self.client.set_annotations(other.session, self.log.marks, 1)
        return other.map()


@pytest.fixture
def analyst(server, raster, mapped) -> Iterator[Analyst]:
    analyst = Analyst(server.client, raster, mapped)
    for number in range(3):
        analyst.mark(number)
    yield analyst
    analyst.client.close_session(analyst.session)


def interrupted(kill: Callable[[], None], items: Iterator, kind: type) -> None:
    """Kill the engine at the first item of a kind: the client is told, and the server goes on."""
    while not isinstance(next(items), kind):
        continue
    kill()
    with pytest.raises(EngineRestarted):
        list(items)


def test_killed_while_pixels_come_in(analyst: Analyst, kill) -> None:
    blocks = count()

    def read(window: Window) -> Patch:
        if next(blocks) == 1:
            kill()
        return analyst.raster.read(window)

    whole = analyst.raster.info.grid.window
    try:  # between two requests, nobody need notice
        list(analyst.client.predict(analyst.session, whole, read))
    except EngineRestarted:
        list(analyst.client.predict(analyst.session, whole, read))
    np.testing.assert_array_equal(analyst.map(), analyst.expected())


def test_killed_while_it_classifies(analyst: Analyst, kill) -> None:
    whole = analyst.raster.info.grid.window
    interrupted(kill, analyst.client.predict(analyst.session, whole, analyst.raster.read), Patch)
    np.testing.assert_array_equal(analyst.map(), analyst.expected())


def test_killed_while_it_refines(analyst: Analyst, kill) -> None:
    before, since = analyst.map(), analyst.log.revision
    analyst.mark(4)
    whole = analyst.raster.info.grid.window
    interrupted(kill, analyst.client.predict(analyst.session, whole, analyst.raster.read, since), Progress)
    after = analyst.mapped(analyst.client, analyst.session, analyst.raster, before, since)
    np.testing.assert_array_equal(after, analyst.expected())


def test_killed_while_it_learns(analyst: Analyst, kill) -> None:
    before = analyst.map()
    learning = analyst.client.learn(analyst.session, 3, 4, analyst.raster.read, LONG)
    interrupted(kill, learning, Progress)
    np.testing.assert_array_equal(analyst.map(), before)
    *_, learnt = analyst.client.learn(analyst.session, 3, 4, analyst.raster.read, QUICK)
    assert learnt.revision == 4


def test_killed_while_it_ranks_and_says_how_long_it_took_to_recover(analyst: Analyst, kill, state: Path) -> None:
    analyst.map()
    options = RankOptions(size_px=100, limit=2)
    whole = analyst.raster.info.grid.window
    interrupted(kill, analyst.client.rank_patches(analyst.session, whole, analyst.raster.read, options), Progress)
    *_, ranked = analyst.client.rank_patches(analyst.session, whole, analyst.raster.read, options)
    assert len(ranked.patches) == 2
    assert ask(state, "status")["engine"]["recovery_s"] > 0


def test_a_server_that_is_killed_takes_its_engine_along_and_finds_everything_again(
    start_server, raster, mapped, tmp_path: Path
) -> None:
    words = ("--exit-with-stdin", "--threads", "1", "--state-dir", str(tmp_path / "state"))
    process = start_server(*words)
    client = connected(process)
    analyst = Analyst(client, raster, mapped)
    analyst.mark(0)
    analyst.map()
    *_, learnt = client.learn(analyst.session, 1, 2, raster.read, QUICK)
    expected, engine = analyst.map(), engine_of(process.pid)
    process.kill()
    process.wait(20)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{engine}").exists():
        assert time.monotonic() < deadline, "the engine lives on"
        time.sleep(0.1)
    again = start_server(*words)
    analyst.client = connected(again)
    opened = analyst.client.open_session(analyst.session, "tiny", raster.info)
    assert (opened.revision, opened.weights) == (2, learnt.weights)
    np.testing.assert_array_equal(analyst.map(), expected)
    again.stdin.close()
    assert again.wait(60) == 0


def test_the_administrator_sees_what_there_is_and_ends_it(analyst: Analyst, server, state: Path, capsys) -> None:
    options = ["--state-dir", str(state)]
    assert main(["status", *options, "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["pid"] == server.pid
    assert status["engine"]["pid"] == engine_of(server.pid)
    assert main(["status", *options]) == 0
    assert "cpu" in capsys.readouterr().out
    assert main(["sessions", "list", *options, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)[-1]
    assert (found["raster"], found["marks"]) == (analyst.raster.info.name, 3)
    assert main(["sessions", "end", found["id"], *options]) == 0
    assert analyst.client.open_session(analyst.session, "tiny", analyst.raster.info).revision == 0


def test_two_servers_do_not_share_a_state_folder(server, state: Path, capsys) -> None:
    assert main(["serve", "--port", "0", "--state-dir", str(state)]) == 2
    assert "Another server" in capsys.readouterr().err
