"""The requests at work in the engine's process: each is a generator of replies, advanced when its turn comes.

Between two replies another request may have its turn, so one that takes minutes keeps nobody waiting for more than one
of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from terrafine.server.answers import FOREIGN_ERRORS, failed, failure
from terrafine.server.dispatch import Dispatcher
from terrafine.server.engine.work import DIGITS
from terrafine.server.process.pipe import Answer
from terrafine.shared import messages as m
from terrafine.shared.errors import Cancelled, TerrafineError
from terrafine.shared.wire import Frame, pack, unpack


class _Work(NamedTuple):
    request_id: str
    message: m.Message
    replies: Iterator[m.Reply]
    arrived: float

    def packed(self, reply: m.Reply) -> list[bytes]:
        """What the dispatcher had no part in says how long all of it took."""
        seconds = reply.seconds or {"total": round(time.perf_counter() - self.arrived, DIGITS)}
        return pack(replace(reply, seconds=seconds), self.request_id)


class Turns:
    """For one thread, but for `stop`."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._at_work: dict[int, _Work] = {}
        self._stopped: set[int] = set()
        self._all_stopped = False

    def begin(self, job: int, frames: Sequence[Frame], client: str, waited_s: float) -> m.Message:
        """Take on a request, which has `waited_s` for its turn. The gateway has unpacked it once: it can be."""
        request_id, message = unpack(frames)
        arrived = time.perf_counter() - waited_s
        replies = self._dispatcher.handle(message, lambda: self._all_stopped or job in self._stopped, client, arrived)
        self._at_work[job] = _Work(request_id, message, replies, arrived)
        return message

    def advance(self, job: int) -> Answer:
        """The next reply. Whatever goes wrong, a reply that cannot be packed included, ends this job alone."""
        if job not in self._at_work:  # it was stopped while the order for this turn was on its way
            return Answer(pack(failed(Cancelled("The work was stopped.")), str(job)), last=True)
        work = self._at_work[job]
        reply = self._next(work)
        try:
            frames = work.packed(reply)
        except TerrafineError as error:
            reply = failed(error)
            frames = work.packed(reply)
        if not isinstance(reply, m.STREAMED):
            self.forget(job)
        return Answer(frames, not isinstance(reply, m.STREAMED))

    def stop(self, job: int) -> None:
        """Make a job end at its next step. From any thread."""
        self._stopped.add(job)

    def stop_all(self) -> None:
        """Likewise all jobs, those that are yet to begin included."""
        self._all_stopped = True

    def forget(self, job: int) -> None:
        """End a job whose replies nobody waits for; one that has ended already is no matter."""
        work = self._at_work.pop(job, None)
        if work is not None:
            work.replies.close()  # type: ignore[attr-defined]  # a generator
        self._stopped.discard(job)

    def close(self) -> None:
        for job in list(self._at_work):
            self.forget(job)

    def _next(self, work: _Work) -> m.Reply:
        try:
            return next(work.replies)
        except FOREIGN_ERRORS as error:
            return failure(work.message, error)
