"""The work that waits for the engine, whose turn it is, and what stops it: cancellation, newer work, a client gone."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Optional, Protocol

from terrafine.server.gateway.urgency import urgency
from terrafine.shared import messages as m
from terrafine.shared.errors import Cancelled, ServerBusy, Superseded, TerrafineError
from terrafine.shared.wire import Frame

MAX_JOBS = 1024
MAX_WAITING_BYTES = 512 << 20
SHARE = 4  # one client may fill a quarter of the queue
BEGINNING_OR_END = (m.OpenSession, m.CloseSession)
CHANGES = (
    m.ChangeAnnotations,
    m.SetAnnotations,
    m.Learn,
    m.UseWeights,
    m.SetLegend,
    m.SetSideInformation,
    *BEGINNING_OR_END,
)
LOOKS = (m.Predict, m.MeasureUncertainty, m.RankPatches, m.Advise)
PIXELS = (m.OfferPixels, m.PutPixels)
_NUMBERS = count(1)


@dataclass(eq=False)
class Job:
    """One request.

    connection  where the answer goes: ZeroMQ's routing id
    message     what is asked; pixels may be left out, the engine reads the frames
    client      who asks: the identity that the connection has proved
    frames      of the request, until it has begun
    arrived     when, by time.perf_counter; `turned`, when it last had a turn
    nbytes      of memory that it takes, about
    taker       who gave it its last turn; whoever gave it the first gives it all
    error       set, by another thread, when it is to stop
    """

    connection: bytes
    request_id: str
    message: m.Message
    client: str = ""
    frames: Sequence[Frame] = ()
    arrived: float = field(default_factory=time.perf_counter)
    nbytes: int = 0
    taker: Optional[Taker] = None
    error: Optional[TerrafineError] = None
    number: int = field(default_factory=_NUMBERS.__next__)
    turned: float = field(default_factory=time.perf_counter)
    has_begun: bool = False

    def stopped(self) -> bool:
        return self.error is not None

    @property
    def line(self) -> Hashable:
        """Jobs of the same line are worked on strictly one after the other: those of one session."""
        session = getattr(self.message, "session", None)
        return (self.client, session) if session is not None else self.number


class Taker(Protocol):
    """Who gives jobs turns: an engine."""

    def takes(self, job: Job) -> bool:
        """May it begin this one?"""
        ...


class _All:
    """The only engine there is."""

    def takes(self, _job: Job) -> bool:
        return True


ALL = _All()


class JobQueue:
    """Jobs for takers that give them turns. Safe between threads.

    Whose turn it is: the most urgent; among those, the client's whose turn was longest ago; of its jobs, the one that
    has waited longest since it came or had a turn. Each session's are worked in the order they came, one at a time; but
    pixels do not wait for the maps that may be made of them.
    """

    def __init__(self, stop: Callable[[int], None] = lambda _number: None) -> None:
        """`stop` is called with the number of each job that has begun and is to end."""
        self._stop_begun = stop
        self._waiting: deque[Job] = deque()
        self._running: dict[Taker, Job] = {}
        self._held: set[bytes] = set()
        self._turns: dict[str, int] = {}  # the number of each client's last turn
        self._changed = threading.Condition()

    def __len__(self) -> int:
        """How many wait for their first turn."""
        with self._changed:
            return sum(not job.has_begun for job in self._waiting)

    @property
    def busy(self) -> bool:
        with self._changed:
            return bool(self._running) or any(job.has_begun for job in self._waiting)

    def waiting(self) -> Counter[str]:
        """How many jobs each client has here, but for those that have their turn."""
        with self._changed:
            return Counter(job.client for job in self._waiting)

    def put(self, job: Job) -> list[Job]:
        """Append a job; returns the waiting jobs that it overtook, which are out of the queue and must be answered.

        A job that is in the queue already, by its connection and id, is not taken twice. Raises ServerBusy, and then
        nothing was overtaken.
        """
        with self._changed:
            if self._find(job.connection, job.request_id):
                return []
            self._check_room(job.client)
            overtaken = self._stop(lambda other: _overtakes(job, other), Superseded("Newer work came in."))
            self._waiting.append(job)
            self._changed.notify_all()
        return overtaken

    def take(self, timeout_s: float, taker: Taker = ALL) -> Optional[Job]:
        """The job whose turn it is at this taker, until it calls `take` or `put_back` next; None if there is none in
        time.
        """
        with self._changed:
            self._done(taker)
            self._changed.wait_for(lambda: any(self._candidates(taker)), timeout_s)
            job = self._next(taker)
            if job is not None:
                self._running[taker] = job
            return job

    def done(self, job: Job) -> None:
        """Its last turn is over."""
        with self._changed:
            self._done(job.taker)

    def put_back(self, job: Job) -> bool:
        """Its turn is over, the job goes on; False if it was stopped meanwhile, and must be answered."""
        with self._changed:
            self._done(job.taker)
            if job.error is None:
                job.turned = time.perf_counter()
                self._waiting.append(job)
            return job.error is None

    def hold(self, connection: bytes) -> None:
        """Give a connection's jobs no turns, until `resume`."""
        with self._changed:
            self._held.add(connection)

    def resume(self, connection: bytes) -> None:
        with self._changed:
            self._held.discard(connection)
            self._changed.notify_all()

    def cancel(self, connection: bytes, request_id: str) -> list[Job]:
        """Stop one request; returned if it was waiting."""
        with self._changed:
            found = self._find(connection, request_id)
            return self._stop(lambda job: job in found, Cancelled("Stopped as asked."))

    def drop(self, connection: bytes) -> None:
        """Stop everything for a connection that is gone."""
        with self._changed:
            self._stop(lambda job: job.connection == connection, Cancelled("The client is gone."))

    def end(self, client: str, error: TerrafineError) -> list[Job]:
        """Stop everything that a client asked for, over whichever connections; returns what was waiting."""
        with self._changed:
            return self._stop(lambda job: job.client == client, error)

    def lose(self, taker: Taker = ALL) -> list[Job]:
        """Take out all that this one has begun, for nobody works on it any more: it must be answered."""
        with self._changed:
            lost = [job for job in (*self._running.values(), *self._waiting) if job.has_begun and job.taker is taker]
            self._waiting = deque(job for job in self._waiting if job not in lost)
            self._done(taker)
        return lost

    def _done(self, taker: Optional[Taker]) -> None:
        """It works on nothing now: the next of that session may have its turn, at whichever taker."""
        if taker is not None and self._running.pop(taker, None) is not None:
            self._changed.notify_all()

    def _candidates(self, taker: Taker) -> Iterator[Job]:
        """The first job of each line that this one may take, but for those held back."""
        seen = {job.line for job in self._running.values()}
        seen_by_pixels = set(seen)
        for job in sorted(self._waiting, key=lambda job: job.number):
            before = seen_by_pixels if isinstance(job.message, PIXELS) else seen
            if job.line not in before and job.connection not in self._held and _may(taker, job):
                yield job
            seen.add(job.line)
            if not isinstance(job.message, LOOKS):
                seen_by_pixels.add(job.line)

    def _next(self, taker: Taker) -> Optional[Job]:
        now = time.perf_counter()
        chosen = min(
            self._candidates(taker),
            key=lambda job: (urgency(job.message, now - job.turned), self._turns.get(job.client, 0), job.turned),
            default=None,
        )
        if chosen is not None:
            self._turns[chosen.client] = max(self._turns.values(), default=0) + 1
            self._waiting.remove(chosen)
            chosen.taker = taker
        return chosen

    def _find(self, connection: bytes, request_id: str) -> list[Job]:
        jobs = (*self._waiting, *self._running.values())
        return [job for job in jobs if (job.connection, job.request_id) == (connection, request_id)]

    def _check_room(self, client: str) -> None:
        own = [job for job in self._waiting if job.client == client]
        for jobs, share in ((self._waiting, 1), (own, SHARE)):
            if len(jobs) >= max(1, MAX_JOBS // share) or sum(job.nbytes for job in jobs) > MAX_WAITING_BYTES // share:
                raise ServerBusy("The server has too much to do.", "Try again in a moment.")

    def _stop(self, matches: Callable[[Job], bool], error: TerrafineError) -> list[Job]:
        stopped = [job for job in self._waiting if matches(job)]
        for job in stopped:
            self._waiting.remove(job)
        ending = [job for job in self._running.values() if matches(job)]
        for job in (*stopped, *ending):
            job.error = error
            if job.has_begun:
                self._stop_begun(job.number)
        return stopped


def _overtakes(newer: Job, older: Job) -> bool:
    """What changes a session overtakes all that looks at its map, and so does the same look again; learning, which
    changes it, too, is overtaken where the session begins anew or ends.
    """
    if (newer.client, getattr(newer.message, "session", None)) != (older.client, getattr(older.message, "session", "")):
        return False
    if isinstance(older.message, LOOKS):
        return isinstance(newer.message, (*CHANGES, type(older.message)))
    if isinstance(older.message, m.FindObject):
        return isinstance(newer.message, (m.FindObject, *BEGINNING_OR_END))
    return isinstance(older.message, m.Learn) and isinstance(newer.message, BEGINNING_OR_END)


def _may(taker: Taker, job: Job) -> bool:
    return job.taker is taker if job.has_begun else taker.takes(job)
