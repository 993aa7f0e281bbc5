"""The requests at work in the engine's process: each is a generator of replies, advanced when its turn comes.

Between two replies another request may have its turn, so one that takes minutes keeps nobody waiting for more than one
of its own. Where somebody waits for a click and the tiles of it leave room in their batch, those that others' clicks
wait for are made with them: in the caches their turn finds them.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Union

from terrafine.server.answers import FOREIGN_ERRORS, failed, failure
from terrafine.server.dispatch import Dispatcher
from terrafine.server.engine import batches
from terrafine.server.engine.batches import TileOf, Wanted
from terrafine.server.engine.work import DIGITS
from terrafine.server.gateway.urgency import INTERACTIVE, urgency
from terrafine.server.process.pipe import Answer
from terrafine.shared import messages as m
from terrafine.shared.errors import Cancelled, TerrafineError
from terrafine.shared.wire import Frame, pack, unpack

log = logging.getLogger(__name__)
Step = Union[m.Reply, Wanted]


@dataclass(eq=False)
class _Work:
    """`ahead`: steps that were made before their turn."""

    request_id: str
    message: m.Message
    steps: Iterator[Step]
    arrived: float
    ahead: deque[Step] = field(default_factory=deque)

    @property
    def is_click(self) -> bool:
        """Does somebody wait for a part of a map?"""
        return isinstance(self.message, m.Predict) and urgency(self.message, 0.0) == INTERACTIVE

    def next(self) -> Step:
        return self.ahead.popleft() if self.ahead else self._made()

    def peek(self) -> Step:
        """The next step of a click; what is long about it is only begun in its turn."""
        if not self.ahead:
            self.ahead.append(self._made())
        return self.ahead[0]

    def wanted(self) -> list[TileOf]:
        """The tiles that a click will need next: replies that are ready are made for that, tiles are not."""
        while not (self.ahead and _is_halt(self.ahead[-1])):
            self.ahead.append(self._made())
        halt = self.ahead[-1]
        return halt.missing() if isinstance(halt, Wanted) else []

    def _made(self) -> Step:
        try:
            return next(self.steps)
        except FOREIGN_ERRORS as error:
            return failure(self.message, error)

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
        steps = self._dispatcher.steps(message, lambda: self._all_stopped or job in self._stopped, client, arrived)
        self._at_work[job] = _Work(request_id, message, steps, arrived)
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

    def is_ready(self, job: int) -> bool:
        """Is the next reply made already?"""
        work = self._at_work.get(job)
        return work is not None and work.is_click and not isinstance(work.peek(), Wanted)

    def is_alone(self, job: int) -> bool:
        """Does somebody wait for a part of a map, and nobody for anything else that has begun?"""
        return job in self._at_work and len(self._at_work) == 1 and self._at_work[job].is_click

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
            work.steps.close()  # type: ignore[attr-defined]  # a generator
        self._stopped.discard(job)

    def close(self) -> None:
        for job in list(self._at_work):
            self.forget(job)

    def _next(self, work: _Work) -> m.Reply:
        while isinstance(step := work.next(), Wanted):
            if work.is_click:
                self._make(step, work)
        return step

    def _make(self, wanted: Wanted, work: _Work) -> None:
        """Make the tiles together with those of others, if there are any. What fails, its own request makes anew."""
        own = wanted.missing()
        others = self._wanted_by_others(work, wanted.at_once - len(own)) if own else []
        if others:
            try:
                batches.make([*own, *others])
            except (TerrafineError, *FOREIGN_ERRORS) as error:
                log.debug("tiles of several requests are made apart: %s", error)

    def _wanted_by_others(self, work: _Work, room: int) -> list[TileOf]:
        """As many tiles at most, of the clicks that came first."""
        found: list[TileOf] = []
        for other in self._at_work.values():
            if len(found) < room and other is not work and other.is_click:
                found += other.wanted()[: room - len(found)]
        return found


def _is_halt(step: Step) -> bool:
    """Is nothing to be made beyond it: tiles, or the last reply?"""
    return isinstance(step, Wanted) or not isinstance(step, m.STREAMED)
