"""What goes out, at a socket that takes no more than it is told to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import zmq

from terrafine.server.gateway import outbox
from terrafine.server.gateway.jobs import Job, JobQueue
from terrafine.server.gateway.outbox import Outbox
from terrafine.shared import messages as m
from terrafine.shared.geo import Window

PREDICT = m.Predict("s", Window(0, 0, 9, 9))


class Front:
    """Takes `room` messages more; of those that are `gone` it knows nothing."""

    def __init__(self) -> None:
        self.room, self.sent, self.gone = 0, [], set()

    def send_multipart(self, frames: Sequence[bytes], _flags: int) -> None:
        if frames[0] in self.gone:
            raise zmq.ZMQError(zmq.EHOSTUNREACH)
        if not self.room:
            raise zmq.Again
        self.room -= 1
        self.sent.append(list(frames))


class Nothing:
    """The engine has handed nothing over."""

    def poll(self, _timeout_ms: int) -> int:
        return 0


@pytest.fixture
def front() -> Front:
    return Front()


@pytest.fixture
def jobs() -> JobQueue:
    return JobQueue()


@pytest.fixture
def out(front: Front, jobs: JobQueue) -> Outbox:
    return Outbox(front, Nothing(), jobs)


def job(connection: bytes, session: str = "s") -> Job:
    return Job(connection, "1", m.Predict(session, PREDICT.window))


def test_what_waits_for_a_slow_client_comes_in_order_and_its_work_waits_too(out, front, jobs) -> None:
    jobs.put(job(b"slow"))
    for number in b"123":
        out.post([b"slow", bytes([number])])
    assert jobs.take(0) is None
    front.room = 2
    out.pass_on()
    assert jobs.take(0) is None
    front.room = 9
    out.pass_on()
    assert front.sent == [[b"slow", b"1"], [b"slow", b"2"], [b"slow", b"3"]]
    assert jobs.take(0) is not None


def test_what_may_be_lost_does_not_overtake_what_waits(out, front) -> None:
    out.post([b"slow", b"patch"])
    front.room = 1
    out.send([b"slow", b"pong"])
    out.pass_on()
    assert front.sent == [[b"slow", b"patch"]]


def test_a_client_that_takes_nothing_for_long_is_given_up_with_its_work(out, front, jobs, monkeypatch) -> None:
    jobs.put(job(b"slow"))
    jobs.put(job(b"other", "t"))
    out.post([b"slow", b"patch"])
    out.pass_on()
    assert out.is_stuck
    monkeypatch.setattr(outbox, "STALLED_S", -1.0)
    out.pass_on()
    assert not out.is_stuck
    assert jobs.take(0).connection == b"other"
    assert len(jobs) == 0


def test_the_work_of_a_client_that_is_gone_ends_at_the_first_reply_to_it(out, front, jobs) -> None:
    front.gone.add(b"gone")
    jobs.put(job(b"gone"))
    out.post([b"gone", b"patch"])
    assert not out.is_stuck
    assert len(jobs) == 0
