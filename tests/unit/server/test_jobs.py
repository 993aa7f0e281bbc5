from __future__ import annotations

import pytest

from terrafine.server import jobs
from terrafine.server.jobs import Job, JobQueue
from terrafine.shared import messages as m
from terrafine.shared.annotation import Delta
from terrafine.shared.errors import Cancelled, ServerBusy, Superseded
from terrafine.shared.geo import Window

WINDOW = Window(0, 0, 9, 9)


def predict(session: str = "s", request_id: str = "1", client: bytes = b"me") -> Job:
    return Job(client, request_id, m.Predict(session, WINDOW))


def test_jobs_are_taken_in_the_order_they_came() -> None:
    queue, first, second = JobQueue(), predict("a"), predict("b")
    queue.put(first)
    queue.put(second)
    assert [queue.take(0), queue.take(0), queue.take(0)] == [first, second, None]


@pytest.mark.parametrize(
    "newer",
    [
        m.Predict("s", WINDOW),
        m.ChangeAnnotations("s", Delta(0, 1)),
        m.SetAnnotations("s", (), 4),
        m.CloseSession("s"),
    ],
)
def test_newer_work_overtakes_an_older_prediction(newer: m.Message) -> None:
    queue, running, waiting = JobQueue(), predict(), predict()
    queue.put(running)
    queue.take(0)
    queue.put(waiting)
    assert isinstance(running.error, Superseded)
    assert queue.put(Job(b"me", "2", newer)) == [waiting]
    assert isinstance(waiting.error, Superseded)


@pytest.mark.parametrize(
    "newer", [m.Predict("other", WINDOW), m.ListModels(), m.ChangeAnnotations("other", Delta(0, 1))]
)
def test_work_on_another_session_overtakes_nothing(newer: m.Message) -> None:
    queue, waiting = JobQueue(), predict()
    queue.put(waiting)
    assert queue.put(Job(b"me", "2", newer)) == []
    assert not waiting.stopped()


def test_offered_pixels_wait_their_turn() -> None:
    queue, waiting, offer = JobQueue(), predict(), Job(b"me", "2", m.OfferPixels("s", (WINDOW,), ("0" * 64,)))
    queue.put(waiting)
    assert queue.put(offer) == []
    assert [queue.take(0), queue.take(0)] == [waiting, offer]


def test_a_change_of_marks_is_never_overtaken() -> None:
    queue, change = JobQueue(), Job(b"me", "1", m.ChangeAnnotations("s", Delta(0, 1)))
    queue.put(change)
    assert queue.put(predict()) == []
    assert queue.take(0) is change


def test_cancelling_stops_what_runs_and_returns_what_waits() -> None:
    queue, running, waiting = JobQueue(), predict("a", "1"), predict("b", "2")
    queue.put(running)
    queue.put(waiting)
    queue.take(0)
    assert queue.cancel(b"me", "1") == []
    assert isinstance(running.error, Cancelled)
    assert queue.cancel(b"me", "2") == [waiting]
    assert queue.take(0) is None


def test_nobody_cancels_what_another_client_asked_for() -> None:
    queue, job = JobQueue(), predict()
    queue.put(job)
    assert queue.cancel(b"you", "1") == []
    assert not job.stopped()


def test_the_work_of_a_client_that_is_gone_is_dropped() -> None:
    queue, gone, other = JobQueue(), predict("a", client=b"gone"), predict("b", client=b"other")
    queue.put(gone)
    queue.put(other)
    queue.drop(b"gone")
    assert queue.take(0) is other


def test_a_full_queue_refuses_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_JOBS", 2)
    queue = JobQueue()
    queue.put(predict("a"))
    queue.put(predict("b"))
    with pytest.raises(ServerBusy):
        queue.put(predict("c"))


def test_work_that_is_refused_overtakes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_JOBS", 1)
    queue, running, waiting = JobQueue(), predict(), predict()
    queue.put(running)
    queue.take(0)
    queue.put(waiting)
    running.error = None
    with pytest.raises(ServerBusy):
        queue.put(predict())
    assert not running.stopped()
    assert queue.take(0) is waiting


def test_the_queue_is_busy_while_a_job_runs() -> None:
    queue = JobQueue()
    queue.put(predict())
    queue.take(0)
    assert queue.busy
    queue.take(0)
    assert not queue.busy
