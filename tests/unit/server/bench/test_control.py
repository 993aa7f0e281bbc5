"""How `terrafine bench clients` cancels work."""

from __future__ import annotations

from collections import defaultdict
from itertools import permutations

import pytest

from terrafine.server.bench.control import CANCEL, ENDED, _stop, _Talk
from terrafine.shared import messages as m
from terrafine.shared.errors import Cancelled, TerrafineError
from terrafine.shared.geo import Window
from terrafine.shared.wire import pack

WORK, ANSWER = "1", "2"
STOPPED = m.Failed(Cancelled.code, "The work was stopped.")
REPLIES = {"more": (m.Progress(1, 2), WORK), "end": (STOPPED, WORK), "answer": (m.Cancelling(WORK), ANSWER)}


class Scripted:
    """A transport whose other side says what it is told to, in that order."""

    def __init__(self, replies: list[tuple[m.Message, str]]) -> None:
        self.replies = replies

    def send(self, _frames) -> None: ...

    def receive(self, _timeout_s: float):
        return pack(*self.replies.pop(0))

    close = send


def stopped(*replies: tuple[m.Message, str]) -> dict[str, list[float]]:
    talk, seconds = _Talk(Scripted([*replies, (m.Pong(False), "later")])), defaultdict(list)
    talk.tell(m.Predict("s", Window(0, 0, 9, 9)))
    _stop(talk, WORK, seconds)
    return seconds


@pytest.mark.parametrize(
    "order", [order for order in permutations(REPLIES) if order.index("more") < order.index("end")]
)
def test_both_are_heard_in_whatever_order_they_come(order: tuple[str, ...]) -> None:
    seconds = stopped(*(REPLIES[name] for name in order))
    (answered,), (ended,) = seconds[CANCEL], seconds[ENDED]
    assert 0 < answered < ended


def test_work_that_fails_of_something_else_is_an_error() -> None:
    with pytest.raises(TerrafineError, match="no room"):
        stopped((m.Failed("out_of_memory", "There is no room."), WORK), REPLIES["answer"])
