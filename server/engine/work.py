"""What one request's work is watched by: may it go on, and how long does each stage of it take?"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Optional

from terrafine.shared.errors import Cancelled

Stopped = Callable[[], bool]
Seconds = dict[str, float]
DIGITS = 6  # of seconds: microseconds


def never() -> bool:
    return False


class Work:
    """Asked between two steps, it stops the work; told what is done, it adds up the seconds."""

    def __init__(self, stopped: Stopped = never, arrived: Optional[float] = None) -> None:
        """`arrived` is when the request did, by time.perf_counter; what it waited since then is the stage "queued"."""
        now = time.perf_counter()
        self.stopped = stopped
        self._began = self._lap_began = now if arrived is None else arrived
        self._seconds: defaultdict[str, float] = defaultdict(float)
        if arrived is not None:
            self._seconds["queued"] = now - arrived
        self._lapped: Seconds = {}
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._changed = now

    def check(self) -> None:
        """Raises Cancelled once the work is to stop."""
        if self.stopped():
            raise Cancelled("The work was stopped.")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """The seconds within go to the stage `name`; those of stages in several threads at once are shared out evenly.

        Stages of one thread must not be nested.
        """
        self._change(name, 1)
        try:
            yield
        finally:
            self._change(name, -1)

    def seconds(self) -> Seconds:
        """Of each stage since the request arrived, and their "total" with all that is no stage."""
        return _told(self._seconds, time.perf_counter() - self._began)

    def lap(self) -> Seconds:
        """Likewise, since the last lap."""
        now = time.perf_counter()
        spent = {name: seconds - self._lapped.get(name, 0.0) for name, seconds in self._seconds.items()}
        told = _told({name: seconds for name, seconds in spent.items() if seconds > 0}, now - self._lap_began)
        self._lap_began, self._lapped = now, dict(self._seconds)
        return told

    def _change(self, name: str, by: int) -> None:
        """One thread more, or less, is at the stage `name`."""
        with self._lock:
            now, threads = time.perf_counter(), sum(self._under_way.values())
            for stage, count in self._under_way.items():
                if count:
                    self._seconds[stage] += (now - self._changed) * count / threads
            self._changed = now
            self._under_way[name] += by


def _told(stages: Mapping[str, float], total: float) -> Seconds:
    return {name: round(seconds, DIGITS) for name, seconds in (*stages.items(), ("total", total))}
