"""The work that waits for the engine, and what stops it: cancellation, newer work, a client that is gone."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

from terrafine.shared import messages as m
from terrafine.shared.errors import Cancelled, ServerBusy, Superseded, TerrafineError

MAX_JOBS = 1024
MAX_WAITING_BYTES = 512 << 20
_OVERTAKING = (m.ChangeAnnotations, m.SetAnnotations, m.Predict, m.OpenSession, m.CloseSession)


@dataclass(eq=False)
class Job:
    """One request of one client. `error` is set, by another thread, when it is to stop."""

    client: bytes
    request_id: str
    message: m.Message
    error: Optional[TerrafineError] = None

    def stopped(self) -> bool:
        return self.error is not None

    @property
    def nbytes(self) -> int:
        return self.message.patch.array.nbytes if isinstance(self.message, m.PutPixels) else 0


class JobQueue:
    """Jobs in the order they came, for one taker; safe between threads."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._running: Optional[Job] = None
        self._changed = threading.Condition()

    @property
    def busy(self) -> bool:
        return self._running is not None

    def put(self, job: Job) -> list[Job]:
        """Append a job; returns the waiting jobs that it overtook, which are out of the queue and must be answered.

        A change of marks or a newer prediction overtakes the session's older predictions. Raises ServerBusy, and then
        nothing was overtaken.
        """
        with self._changed:
            if len(self._waiting) >= MAX_JOBS or sum(item.nbytes for item in self._waiting) > MAX_WAITING_BYTES:
                raise ServerBusy("The server has too much to do.", "Try again in a moment.")
            overtaken = self._stop(
                lambda other: _overtakes(job.message, other.message), Superseded("Newer work came in.")
            )
            self._waiting.append(job)
            self._changed.notify()
        return overtaken

    def take(self, timeout_s: float) -> Optional[Job]:
        """The next job, which counts as running until the next call; None if none came in time."""
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: bool(self._waiting), timeout_s)
            self._running = self._waiting.popleft() if self._waiting else None
            return self._running

    def cancel(self, client: bytes, request_id: str) -> list[Job]:
        """Stop one request; returned if it was still waiting."""
        with self._changed:
            return self._stop(
                lambda job: (job.client, job.request_id) == (client, request_id), Cancelled("Stopped as asked.")
            )

    def drop(self, client: bytes) -> None:
        """Stop everything for a client that is gone."""
        with self._changed:
            self._stop(lambda job: job.client == client, Cancelled("The client is gone."))

    def _stop(self, matches: Callable[[Job], bool], error: TerrafineError) -> list[Job]:
        if self._running is not None and matches(self._running):
            self._running.error = error
        stopped = [job for job in self._waiting if matches(job)]
        for job in stopped:
            job.error = error
            self._waiting.remove(job)
        return stopped


def _overtakes(newer: m.Message, older: m.Message) -> bool:
    return isinstance(older, m.Predict) and isinstance(newer, _OVERTAKING) and newer.session == older.session
