"""Requests that take turns in the engine: each goes on where it was, whatever came between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from terrafine.server.process.turns import Turns
from terrafine.shared import messages as m
from terrafine.shared import wire
from terrafine.shared.geo import Window

PREDICT = m.Predict("s", Window(0, 0, 9, 9))
TOO_LARGE = m.Models(({"string": "x" * 70_000},) * 200)


class Counting:
    """Three steps of progress, unless it is stopped; what is begun is closed in the end."""

    def __init__(self) -> None:
        self.clients: list[str] = []
        self.closed = 0

    def steps(self, _message: m.Message, stopped, client: str, _arrived: float) -> Iterator[m.Reply]:
        self.clients.append(client)
        try:
            for done in range(3):
                if stopped():
                    yield m.Failed("cancelled", "It was stopped.")
                    return
                yield m.Progress(done, 3)
            yield m.Done(0)
        finally:
            self.closed += 1


def advanced(turns: Turns, job: int) -> tuple[str, m.Message, bool]:
    answer = turns.advance(job)
    return (*wire.unpack(answer.frames), answer.last)


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def turns(counting: Counting) -> Turns:
    turns = Turns(counting)
    for job, client in ((1, "alice"), (2, "bob")):
        turns.begin(job, wire.pack(PREDICT, f"of {client}".replace(" ", "-")), client, waited_s=0.5)
    return turns


def test_two_requests_take_turns_and_each_goes_on_where_it_was(turns: Turns, counting: Counting) -> None:
    heard = [advanced(turns, job) for _ in range(4) for job in (1, 2)]
    assert [request_id for request_id, _, _ in heard] == ["of-alice", "of-bob"] * 4
    assert [getattr(reply, "done", "end") for _, reply, _ in heard] == [0, 0, 1, 1, 2, 2, "end", "end"]
    assert [last for _, _, last in heard] == [False] * 6 + [True] * 2
    assert counting.clients == ["alice", "bob"]


def test_what_waited_is_part_of_the_time_that_it_took(turns: Turns) -> None:
    assert advanced(turns, 1)[1].seconds["total"] >= 0.5


def test_stopping_one_leaves_the_other(turns: Turns) -> None:
    turns.stop(1)
    assert advanced(turns, 1)[1].code == "cancelled"
    assert isinstance(advanced(turns, 2)[1], m.Progress)


def test_a_turn_of_what_was_forgotten_meanwhile_ends_it(turns: Turns, counting: Counting) -> None:
    advanced(turns, 1)
    turns.forget(1)
    assert counting.closed == 1
    answer = turns.advance(1)
    assert (wire.unpack(answer.frames)[1].code, answer.last) == ("cancelled", True)
    turns.forget(1)


def test_all_that_has_begun_is_closed_at_the_end(turns: Turns, counting: Counting) -> None:
    advanced(turns, 1)
    advanced(turns, 2)
    turns.close()
    assert counting.closed == 2


def test_when_all_are_stopped_so_is_what_begins_later(turns: Turns) -> None:
    turns.stop_all()
    turns.begin(3, wire.pack(PREDICT, "late"), "", 0.0)
    assert [advanced(turns, job)[1].code for job in (1, 3)] == ["cancelled"] * 2


@pytest.mark.parametrize(("reply", "code"), [(TOO_LARGE, "too_large"), (None, "internal")])
def test_a_reply_that_cannot_be_given_ends_its_request_alone(turns: Turns, counting, monkeypatch, reply, code) -> None:
    monkeypatch.setattr(counting, "steps", lambda *_: (reply or 1 / 0 for _ in range(1)))
    turns.begin(3, wire.pack(PREDICT, "3"), "", 0.0)
    answer = turns.advance(3)
    assert (wire.unpack(answer.frames)[1].code, answer.last) == (code, True)
    assert isinstance(advanced(turns, 1)[1], m.Progress)
