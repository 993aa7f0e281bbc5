"""Whose turn it is: a click before a lesson before a whole map, each client in its turn, each session in its order."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest

from terrafine.server.gateway import urgency
from terrafine.server.gateway.jobs import Job, JobQueue
from terrafine.shared import messages as m
from terrafine.shared.annotation import Delta
from terrafine.shared.errors import Cancelled
from terrafine.shared.geo import Window

WHOLE, VIEW = Window(0, 0, 50_000, 50_000), Window(0, 0, 900, 600)
NUMBERS = count()


def job(message: m.Message, client: str = "me", connection: bytes = b"") -> Job:
    return Job(connection or client.encode(), f"r{next(NUMBERS)}", message, client)


def begun(queue: JobQueue, message: m.Message, client: str = "me") -> Job:
    """A job that has had a turn and waits for the next."""
    queue.put(job(message, client))
    taken = queue.take(0)
    taken.has_begun = True
    assert queue.put_back(taken)
    return taken


def test_a_click_has_its_turn_before_the_whole_map_of_another_goes_on() -> None:
    queue = JobQueue()
    whole = begun(queue, m.Predict("a", WHOLE), "other")
    click, map_around_it = job(m.ChangeAnnotations("b", Delta(0, 1))), job(m.Predict("b", WHOLE, changed_since=0))
    queue.put(click)
    queue.put(map_around_it)
    assert [queue.take(0), queue.take(0), queue.take(0)] == [click, map_around_it, whole]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (m.Predict("s", VIEW), urgency.INTERACTIVE),
        (m.Predict("s", WHOLE, changed_since=3), urgency.INTERACTIVE),
        (m.PutPixels("s", None), urgency.INTERACTIVE),
        (m.Learn("s", 0, 1), urgency.LEARNING),
        (m.Predict("s", WHOLE), urgency.BACKGROUND),
        (m.RankPatches("s", VIEW), urgency.BACKGROUND),
    ],
)
def test_what_somebody_waits_for_is_more_urgent(message: m.Message, kind: int) -> None:
    assert urgency.urgency(message, 0.0) == kind


def test_nothing_waits_for_ever() -> None:
    ages = [urgency.urgency(m.Predict("s", WHOLE), seconds * urgency.PATIENCE_S) for seconds in (0, 1.1, 2.1, 60)]
    assert ages == [urgency.BACKGROUND, urgency.LEARNING, urgency.INTERACTIVE, urgency.INTERACTIVE]


@pytest.mark.parametrize("clients", [("alice", "bob"), ("me", "me")])
def test_two_whole_maps_take_turns(clients: tuple[str, str]) -> None:
    queue = JobQueue()
    for client, session in zip(clients, "ab"):
        queue.put(job(m.Predict(session, WHOLE), client))
    turns = []
    for _ in range(6):
        taken = queue.take(0)
        taken.has_begun = True
        turns.append(taken.message.session)
        queue.put_back(taken)
    assert turns == ["a", "b"] * 3
    assert len(queue) == 0
    assert queue.busy
    assert queue.waiting() == Counter(clients)


def test_what_follows_in_a_session_waits_until_what_came_before_is_done() -> None:
    queue = JobQueue()
    learning = begun(queue, m.Learn("s", 0, 1))
    change = job(m.ChangeAnnotations("s", Delta(1, 2)))
    queue.put(change)
    assert queue.take(0) is learning
    assert queue.take(0) is change


def test_a_job_that_is_stopped_between_its_turns_is_out_of_the_queue_and_the_engine_is_told() -> None:
    told: list[int] = []
    queue = JobQueue(told.append)
    whole = begun(queue, m.Predict("s", WHOLE))
    assert queue.cancel(b"me", whole.request_id) == [whole]
    assert told == [whole.number]
    assert queue.take(0) is None


def test_a_job_that_is_stopped_in_its_turn_does_not_go_back() -> None:
    told: list[int] = []
    queue = JobQueue(told.append)
    whole = begun(queue, m.Predict("s", WHOLE))
    queue.take(0)
    assert queue.cancel(b"me", whole.request_id) == []
    assert told == [whole.number]
    assert not queue.put_back(whole)
    assert isinstance(whole.error, Cancelled)
    assert not queue.busy


def test_a_job_that_has_not_begun_is_none_of_the_engines_business() -> None:
    told: list[int] = []
    queue, waiting = JobQueue(told.append), job(m.Predict("s", WHOLE))
    queue.put(waiting)
    assert queue.cancel(b"me", waiting.request_id) == [waiting]
    assert told == []


def test_a_connection_that_does_not_keep_up_gets_no_turns_until_it_does() -> None:
    queue, slow, other = JobQueue(), job(m.Predict("a", VIEW), connection=b"slow"), job(m.Predict("b", VIEW))
    queue.put(slow)
    queue.put(other)
    queue.hold(b"slow")
    assert [queue.take(0), queue.take(0)] == [other, None]
    queue.resume(b"slow")
    assert queue.take(0) is slow


def test_what_an_engine_was_at_work_on_is_lost_with_it_and_nothing_else() -> None:
    queue = JobQueue()
    suspended, running = begun(queue, m.Predict("a", WHOLE)), begun(queue, m.Learn("b", 0, 1))
    assert queue.take(0) is running
    waiting = job(m.ListModels())
    queue.put(waiting)
    assert set(queue.lose()) == {suspended, running}
    assert queue.take(0) is waiting


@pytest.mark.parametrize("pixels", [m.PutPixels("s", None), m.OfferPixels("s", (), ())])
def test_pixels_do_not_wait_for_the_map_that_is_made_of_them(pixels: m.Message) -> None:
    queue = JobQueue()
    whole, sent = begun(queue, m.Predict("s", WHOLE, after=0)), job(pixels)
    queue.put(sent)
    assert queue.take(0) is sent
    assert queue.take(0) is whole


@pytest.mark.parametrize("before", [m.OpenSession("s", "", None), m.Learn("s", 0, 1), m.SetAnnotations("s", (), 1)])
def test_pixels_wait_for_what_changes_their_session(before: m.Message) -> None:
    queue = JobQueue()
    first, sent = begun(queue, before), job(m.PutPixels("s", None))
    queue.put(sent)
    assert queue.take(0) is first
    assert queue.take(0) is sent


def test_what_changes_a_session_waits_for_the_pixels_that_came_before() -> None:
    queue = JobQueue()
    sent, change = job(m.PutPixels("s", None)), job(m.ChangeAnnotations("s", Delta(0, 1)))
    for each in (sent, change):
        queue.put(each)
    assert [queue.take(0), queue.take(0)] == [sent, change]
