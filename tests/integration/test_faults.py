"""What goes wrong around a session, at each stage of its work: nothing that was marked is lost, and no map is wrong."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from terrafine.shared.client import Client
from terrafine.shared.errors import EngineRestarted
from terrafine.shared.transport import ZmqTransport

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for a process's children")


def engine_of(pid: int) -> int:
    """The engine's process of a server; 0 while there is none."""
    of_threads = (file.read_text().split() for file in Path(f"/proc/{pid}/task").glob("*/children"))
    children = (child for found in of_threads for child in found)
    engines = (int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes())
    return next(engines, 0)


@pytest.fixture(scope="module")
def server(start_server) -> Iterator:
    process = start_server("--exit-with-stdin", "--threads", "1")
    process.address = json.loads(process.stdout.readline())["address"]
    yield process
    process.stdin.close()
    assert process.wait(60) == 0


def test_an_engine_that_is_killed_is_started_again(server) -> None:
    client = Client(ZmqTransport(server.address))
    before = engine_of(server.pid)
    os.kill(before, signal.SIGKILL)
    assert client.hello().device == "cpu"
    try:
        client.models()
    except EngineRestarted:
        assert client.models()
    assert engine_of(server.pid) not in (0, before)


def test_the_engine_ends_with_a_server_that_is_killed(start_server) -> None:
    process = start_server("--threads", "1")
    process.stdout.readline()
    engine = engine_of(process.pid)
    process.kill()
    process.wait(20)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{engine}").exists():
        assert time.monotonic() < deadline, "the engine lives on"
        time.sleep(0.1)
