"""The work that waits for the engine, and what stops it: cancellation, newer work, a client that is gone."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Optional

from terrafine.shared import messages as m
from terrafine.shared.errors import Cancelled, ServerBusy, Superseded, TerrafineError

MAX_JOBS = 1024
MAX_WAITING_BYTES = 512 << 20
SHARE = 4  # one client may fill a quarter of the queue
BEGINNING_OR_END = (m.OpenSession, m.CloseSession)
CHANGES = (m.ChangeAnnotations, m.SetAnnotations, m.Learn, m.UseWeights, m.SetLegend, *BEGINNING_OR_END)
LOOKS = (m.Predict, m.MeasureUncertainty, m.RankPatches, m.Advise)


@dataclass(eq=False)
class Job:
    """One request.

    connection  where the answer goes: ZeroMQ's routing id
    client      who asks: the identity that the connection has proved
    arrived     when, by time.perf_counter
    nbytes      of memory that it takes, about
    error       set, by another thread, when it is to stop
    """

    connection: bytes
    request_id: str
    message: m.Message
    client: str = ""
    arrived: float = field(default_factory=time.perf_counter)
    nbytes: int = 0
    error: Optional[TerrafineError] = None

    def stopped(self) -> bool:
        return self.error is not None


class JobQueue:
    """Jobs for one taker: each client's in the order they came, and clients in turn. Safe between threads."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._running: Optional[Job] = None
        self._turns: dict[str, int] = {}  # the number of each client's last turn
        self._changed = threading.Condition()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        return self._running is not None

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
            self._changed.notify()
        return overtaken

    def take(self, timeout_s: float) -> Optional[Job]:
        """The next job, which counts as running until the next call; None if none came in time."""
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: bool(self._waiting), timeout_s)
            self._running = self._next() if self._waiting else None
            return self._running

    def cancel(self, connection: bytes, request_id: str) -> list[Job]:
        """Stop one request; returned if it was still waiting."""
        with self._changed:
            found = self._find(connection, request_id)
            return self._stop(lambda job: job in found, Cancelled("Stopped as asked."))

    def drop(self, connection: bytes) -> None:
        """Stop everything for a connection that is gone."""
        with self._changed:
            self._stop(lambda job: job.connection == connection, Cancelled("The client is gone."))

    def end(self, client: str, error: TerrafineError) -> list[Job]:
        """Stop everything that a client asked for, over whichever connections; returns what was still waiting."""
        with self._changed:
            return self._stop(lambda job: job.client == client, error)

    def _next(self) -> Job:
        """The oldest job of the client whose turn was longest ago, out of the queue."""
        oldest: dict[str, Job] = {}
        for job in self._waiting:
            oldest.setdefault(job.client, job)
        chosen = min(oldest.values(), key=lambda job: self._turns.get(job.client, 0))
        self._turns[chosen.client] = max(self._turns.values(), default=0) + 1
        self._waiting.remove(chosen)
        return chosen

    def _find(self, connection: bytes, request_id: str) -> list[Job]:
        jobs = [*self._waiting, self._running] if self._running else self._waiting
        return [job for job in jobs if (job.connection, job.request_id) == (connection, request_id)]

    def _check_room(self, client: str) -> None:
        own = [job for job in self._waiting if job.client == client]
        for jobs, share in ((self._waiting, 1), (own, SHARE)):
            if len(jobs) >= max(1, MAX_JOBS // share) or sum(job.nbytes for job in jobs) > MAX_WAITING_BYTES // share:
                raise ServerBusy("The server has too much to do.", "Try again in a moment.")

    def _stop(self, matches: Callable[[Job], bool], error: TerrafineError) -> list[Job]:
        if self._running is not None and matches(self._running):
            self._running.error = error
        stopped = [job for job in self._waiting if matches(job)]
        for job in stopped:
            job.error = error
            self._waiting.remove(job)
        return stopped


def _overtakes(newer: Job, older: Job) -> bool:
    """What changes a session overtakes all that looks at its map, and so does the same look again; learning, which
    changes it, too, is overtaken where the session begins anew or ends.
    """
    if (newer.client, getattr(newer.message, "session", None)) != (older.client, getattr(older.message, "session", "")):
        return False
    if isinstance(older.message, LOOKS):
        return isinstance(newer.message, (*CHANGES, type(older.message)))
    return isinstance(older.message, m.Learn) and isinstance(newer.message, BEGINNING_OR_END)
