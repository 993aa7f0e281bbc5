"""Replies that were ready are sent along, and wait in the gateway for their turn."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator

import pytest

from terrafine.server.process.child import EngineOptions
from terrafine.server.process.engine import EngineProcess
from terrafine.server.process.pipe import Pipe


@pytest.fixture
def ends() -> Iterator[tuple[EngineProcess, Pipe]]:
    """The gateway's engine, and what its process would have of the pipe."""
    ours, theirs = (Pipe(end) for end in multiprocessing.Pipe())
    engine = EngineProcess(EngineOptions())
    engine._pipe = ours
    yield engine, theirs
    engine.close()
    theirs.close()


def tell(process: Pipe, job: int, frame: bytes, more: bool = False, last: bool = False) -> None:
    process.send({"is": "reply", "job": job, "last": last, "more": more}, [frame])


def orders(process: Pipe) -> list[int]:
    found = []
    while (parcel := process.receive(0)) is not None:
        found.append(parcel.head["job"])
    return found


def test_what_follows_by_itself_is_not_asked_for(ends) -> None:
    engine, process = ends
    tell(process, 1, b"a", more=True)
    tell(process, 1, b"b", more=True)
    tell(process, 1, b"c", last=True)
    assert [engine.advance(1) for _ in range(3)] == [([b"a"], False), ([b"b"], False), ([b"c"], True)]
    assert orders(process) == [1]


def test_what_comes_during_others_turns_is_kept_in_order(ends) -> None:
    engine, process = ends
    for frame, more in ((b"a", True), (b"b", True), (b"c", False)):
        tell(process, 1, frame, more)
    tell(process, 2, b"other")
    process.send({"is": "beat", "figures": {"sessions": 3}})
    assert engine.advance(1).frames == [b"a"]
    assert engine.advance(2).frames == [b"other"]
    engine.attend()
    assert engine.figures == {"sessions": 3}
    assert [engine.advance(1).frames for _ in range(2)] == [[b"b"], [b"c"]]
    assert orders(process) == [1, 2]
    tell(process, 1, b"d")
    assert engine.advance(1).frames == [b"d"]
    assert orders(process) == [1]


def test_nothing_is_kept_of_what_was_stopped(ends) -> None:
    engine, process = ends
    tell(process, 1, b"a", more=True)
    engine.advance(1)
    engine.stop(1)
    tell(process, 1, b"late", more=True)
    engine.attend()
    assert 1 not in engine._early
    assert engine._early.next(1) is None
