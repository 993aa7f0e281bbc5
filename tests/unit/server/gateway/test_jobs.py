from __future__ import annotations

from itertools import count

import pytest

from terrafine.server.gateway import jobs
from terrafine.server.gateway.jobs import Job, JobQueue
from terrafine.shared import messages as m
from terrafine.shared.annotation import Delta
from terrafine.shared.errors import Cancelled, NotAllowed, ServerBusy, Superseded
from terrafine.shared.geo import Window

WINDOW = Window(0, 0, 9, 9)


NUMBERS = count()


def predict(session: str = "s", request_id: str = "", connection: bytes = b"me", client: str = "") -> Job:
    return Job(connection, request_id or f"p{next(NUMBERS)}", m.Predict(session, WINDOW), client)


def test_jobs_are_taken_in_the_order_they_came() -> None:
    queue, first, second = JobQueue(), predict("a"), predict("b")
    queue.put(first)
    queue.put(second)
    assert [queue.take(0), queue.take(0), queue.take(0)] == [first, second, None]


CHANGES = [
    m.ChangeAnnotations("s", Delta(0, 1)),
    m.SetAnnotations("s", (), 4),
    m.Learn("s", 0, 1),
    m.UseWeights("s", 0, 1, ""),
    m.SetLegend("s", 0, 1, (), ()),
    m.OpenSession("s", "m", None),
    m.CloseSession("s"),
]
LOOKS = [m.Predict("s", WINDOW), m.MeasureUncertainty("s", WINDOW), m.RankPatches("s", WINDOW), m.Advise("s", 0)]
OTHERS = [m.SaveModel("s", "n", "t"), m.OfferPixels("s", (), ()), m.ListModels()]


def overtaken(newer: m.Message, older: m.Message) -> bool:
    """Whether what runs and what waits is overtaken; it must be both or neither."""
    queue, running, waiting, newest = (
        JobQueue(),
        *(Job(b"me", str(i), each) for i, each in enumerate([older, older, newer])),
    )
    queue.put(running)
    queue.take(0)
    queue.put(waiting)
    running.error = None  # by its own kind, perhaps
    assert queue.put(newest) == ([waiting] if isinstance(waiting.error, Superseded) else [])
    assert type(running.error) is type(waiting.error)
    return waiting.stopped()


@pytest.mark.parametrize("older", LOOKS, ids=type)
def test_what_changes_a_session_overtakes_what_looks_at_its_map(older: m.Message) -> None:
    assert all(overtaken(newer, older) for newer in CHANGES)


@pytest.mark.parametrize("older", LOOKS, ids=type)
def test_a_look_overtakes_older_ones_of_its_own_kind_alone(older: m.Message) -> None:
    assert [overtaken(newer, older) for newer in LOOKS] == [type(newer) is type(older) for newer in LOOKS]


def test_learning_is_overtaken_where_its_session_begins_anew_or_ends_and_nowhere_else() -> None:
    stopping = [newer for newer in (*CHANGES, *LOOKS, *OTHERS) if overtaken(newer, m.Learn("s", 0, 1))]
    assert [type(newer) for newer in stopping] == [m.OpenSession, m.CloseSession]


@pytest.mark.parametrize("older", [*(each for each in CHANGES if not isinstance(each, m.Learn)), *OTHERS], ids=type)
def test_other_changes_and_what_is_to_be_kept_are_never_overtaken(older: m.Message) -> None:
    assert not any(overtaken(newer, older) for newer in (*CHANGES, *LOOKS, *OTHERS))


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
    queue, gone, other = JobQueue(), predict("a", connection=b"gone"), predict("b", connection=b"other")
    queue.put(gone)
    queue.put(other)
    queue.drop(b"gone")
    assert queue.take(0) is other


def test_a_full_queue_refuses_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_JOBS", 2)
    queue = JobQueue()
    queue.put(predict(client="a"))
    queue.put(predict(client="b"))
    with pytest.raises(ServerBusy):
        queue.put(predict(client="c"))


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


def test_nobody_overtakes_the_work_of_another_client_on_a_session_of_the_same_name() -> None:
    queue, waiting = JobQueue(), predict(client="me")
    queue.put(waiting)
    assert queue.put(Job(b"you", "2", m.CloseSession("s"), "you")) == []
    assert not waiting.stopped()


def test_clients_take_turns_and_each_ones_jobs_keep_their_order() -> None:
    queue = JobQueue()
    mine, yours = [predict(f"m{n}", client="me") for n in range(3)], [predict(f"y{n}", client="you") for n in range(2)]
    for job in (*mine, *yours):
        queue.put(job)
    assert [queue.take(0) for _ in range(5)] == [mine[0], yours[0], mine[1], yours[1], mine[2]]


def test_a_client_that_waited_long_for_work_of_its_own_is_not_served_first_for_ever() -> None:
    queue = JobQueue()
    for _ in range(3):
        queue.put(predict(client="me"))
        queue.take(0)
    late, mine = [predict(f"l{n}", client="late") for n in range(2)], predict(client="me")
    for job in (*late, mine):
        queue.put(job)
    assert [queue.take(0) for _ in range(3)] == [late[0], mine, late[1]]


def test_a_request_that_is_repeated_while_it_waits_or_runs_is_not_worked_twice() -> None:
    queue, running, waiting = JobQueue(), predict("a", "1"), predict("b", "2")
    queue.put(running)
    queue.take(0)
    queue.put(waiting)
    for again in (predict("a", "1"), predict("b", "2")):
        assert queue.put(again) == []
    assert not running.stopped()
    assert [queue.take(0), queue.take(0)] == [waiting, None]


@pytest.mark.parametrize(("limit", "value"), [("MAX_JOBS", 8), ("MAX_WAITING_BYTES", 4)])
def test_one_client_fills_its_share_of_the_queue_only(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(jobs, limit, value)
    queue = JobQueue()
    for _ in range(2):
        queue.put(Job(b"me", f"{next(NUMBERS)}", m.ListModels(), "me", nbytes=1))
    with pytest.raises(ServerBusy):
        queue.put(Job(b"me again", "3", m.ListModels(), "me", nbytes=1))
    queue.put(predict(client="you"))


def test_what_a_client_asked_for_ends_over_all_its_connections() -> None:
    queue, error = JobQueue(), NotAllowed("No more.")
    running, waiting, other = (
        predict(client="me"),
        predict("b", connection=b"second", client="me"),
        predict(client="you"),
    )
    for job in (running, waiting, other):
        queue.put(job)
    queue.take(0)
    assert queue.end("me", error) == [waiting]
    assert (running.error, waiting.error, other.error) == (error, error, None)
