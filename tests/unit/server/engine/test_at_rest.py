"""What the engine's process does between its turns."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from terrafine.server.engine import memory
from terrafine.server.process import child
from terrafine.server.process.child import EngineOptions
from terrafine.server.process.pipe import Pipe
from terrafine.shared import messages as m
from terrafine.shared.wire import pack


@pytest.fixture
def returns(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One for each time that freed memory went back to the system."""
    returns: list[None] = []
    monkeypatch.setattr(memory, "give_back", lambda: returns.append(None))
    monkeypatch.setattr(child, "BEAT_S", 0.005)
    return returns


@pytest.fixture
def engine(returns: list[None], tmp_path: Path) -> Iterator[Pipe]:
    """The gateway's end of the pipe to an engine without models."""
    ours, theirs = (Pipe(end) for end in multiprocessing.Pipe())
    workshop = child._Workshop(theirs, EngineOptions(device="cpu", saved_models=tmp_path / "saved"), tmp_path / "state")
    thread = threading.Thread(target=workshop.run)
    thread.start()
    yield ours
    ours.send({"do": "leave"})
    thread.join(20)
    assert not thread.is_alive()
    ours.close()


def beats(engine: Pipe, count: int) -> None:
    while count:
        parcel = engine.receive(10)
        assert parcel is not None, "the engine's heart stands still"
        count -= parcel.head["is"] == "beat"


def ping(engine: Pipe, job: int) -> None:
    engine.send({"do": "advance", "job": job, "client": "", "waited": 0.0}, pack(m.Ping(), "p"))
    while engine.receive(10).head["is"] != "reply":
        continue


def test_memory_is_given_back_after_work_and_not_again_until_there_was_more(engine: Pipe, returns: list[None]) -> None:
    beats(engine, 3 * memory.BEATS)
    idle = len(returns)
    assert idle <= 1  # of the start
    ping(engine, 1)
    beats(engine, 3 * memory.BEATS)
    assert len(returns) == idle + 1
    ping(engine, 2)
    beats(engine, 3 * memory.BEATS)
    assert len(returns) == idle + 2


def test_a_long_job_gives_memory_back_between_its_turns(engine: Pipe, returns: list[None]) -> None:
    deadline = time.monotonic() + 20
    while len(returns) < 4:
        ping(engine, len(returns))
        assert time.monotonic() < deadline
