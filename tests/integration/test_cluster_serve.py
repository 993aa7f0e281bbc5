"""`serve --ray` on three nodes: an analyst's session outlives the engine that holds it, with all that is in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from terrafine.server.gateway.admin import ask
from terrafine.shared.annotation import Annotation, AnnotationLog, Delta
from terrafine.shared.client import Client
from terrafine.shared.errors import EngineRestarted
from terrafine.shared.learning import LearnOptions
from terrafine.shared.transport import ZmqTransport

pytest.importorskip("ray", reason="needs terrafine[cluster]")
QUICK = LearnOptions("decoder", steps=2, rate=0.3)


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

    def holder(self) -> dict:
        """The engine that holds the only session."""
        deadline = time.monotonic() + 60
        while not (found := [engine for engine in self.engines if engine["figures"]["sessions"]]):
            assert time.monotonic() < deadline, "no engine tells of a session"
            time.sleep(0.2)
        assert len(found) == 1
        return found[0]

    def again(self, ask) -> object:
        """As the plugin does: once more where the engine broke down meanwhile."""
        try:
            return ask()
        except EngineRestarted:
            return ask()


@pytest.fixture
def team(cluster, start_server, tmp_path: Path) -> Iterator[Team]:
    words = ["--exit-with-stdin", "--threads", "1", "--device", "cpu", "--state-dir", str(tmp_path / "state")]
    process = start_server(*words, "--ray", cluster.address)
    team = Team(process, tmp_path / "state")
    yield team
    team.client.close()
    process.stdin.close()
    assert process.wait(60) == 0


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

    os.kill(team.holder()["pid"], signal.SIGKILL)

    def unread(_window: object) -> None:
        raise AssertionError("the server asks for pixels that it was sent")

    mark = Annotation("last", "point", ((400.5, 100.5),), 1)
    raster_without_pixels = type("Known", (), {"info": raster.info, "read": staticmethod(unread)})
    np.testing.assert_array_equal(team.again(lambda: mapped(client, "s", raster_without_pixels)), before)
    assert client.change_annotations("s", log.add(mark)).revision == log.revision
    opened = client.open_session("s", "tiny", raster.info)
    assert (opened.revision, opened.weights != "") == (log.revision, True)
