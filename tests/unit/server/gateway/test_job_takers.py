"""One queue, several engines: each session's jobs one at a time, and those that have begun where they began."""

from __future__ import annotations

from itertools import count

import pytest

from terrafine.server.gateway.jobs import Job, JobQueue
from terrafine.shared import messages as m
from terrafine.shared.geo import Window

NUMBERS = count()


class Engine:
    """Takes the sessions that it is told to."""

    def __init__(self, *sessions: str) -> None:
        self.sessions = set(sessions)

    def takes(self, job: Job) -> bool:
        return job.message.session in self.sessions


def job(session: str) -> Job:
    return Job(b"me", f"p{next(NUMBERS)}", m.Predict(session, Window(0, 0, 9, 9)))


@pytest.fixture
def queue() -> JobQueue:
    return JobQueue()


def test_an_engine_gets_jobs_of_its_own_sessions_alone(queue: JobQueue) -> None:
    first, second = Engine("a"), Engine("b")
    queue.put(mine := job("b"))
    assert queue.take(0, first) is None
    assert queue.take(0, second) is mine


def test_engines_work_at_the_same_time(queue: JobQueue) -> None:
    engines = Engine("a"), Engine("b")
    jobs = job("a"), job("b")
    for each in jobs:
        queue.put(each)
    assert tuple(queue.take(0, engine) for engine in engines) == jobs
    assert queue.busy


def test_a_session_whose_job_is_at_work_waits_though_another_engine_may_take_it(queue: JobQueue) -> None:
    first, second = Engine("a"), Engine("a")
    one, other = job("a"), Job(b"me", "change", m.CloseSession("a"))
    queue.put(one)
    assert queue.take(0, first) is one
    queue.put(other)
    assert queue.take(0, second) is None
    queue.done(one)
    assert queue.take(0, second) is other


def test_what_has_begun_goes_on_where_it_began_though_its_session_has_moved(queue: JobQueue) -> None:
    first, second = Engine("a"), Engine()
    queue.put(one := job("a"))
    queue.take(0, first).has_begun = True
    first.sessions, second.sessions = set(), {"a"}
    queue.put_back(one)
    assert queue.take(0, second) is None
    assert queue.take(0, first) is one


def test_only_what_the_dead_engine_had_begun_is_lost(queue: JobQueue) -> None:
    first, second = Engine("a", "c"), Engine("b")
    running, elsewhere, waiting = job("a"), job("b"), job("c")
    for each in (running, elsewhere, waiting):
        queue.put(each)
    queue.take(0, first).has_begun = queue.take(0, second).has_begun = True
    assert queue.lose(first) == [running]
    assert queue.take(0, first) is waiting
