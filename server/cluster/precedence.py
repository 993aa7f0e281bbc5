"""Who computes next on a device: an actor's turns for analysts go before its blocks of maps."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Optional

MOMENT_S = 0.25  # in which the next turn may come: a click is several, and between two its client may have to ask
PATIENCE_S = 1.0  # after which a step of a block is made in spite of all hurry


class Precedence:
    """A lock that those in a hurry get first, and for a moment keep. Whoever has it has it until the end of a step."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_held = False
        self._hurrying = 0
        self._kept_until = -math.inf

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """For a turn: next after the step that is at work."""
        with self._changed:
            self._hurrying += 1
            self._changed.wait_for(lambda: not self._is_held)
            self._hurrying -= 1
            self._is_held = True
        yield from self._held(MOMENT_S)

    @contextmanager
    def patient(self) -> Iterator[None]:
        """For a step of a block: once nobody hurries, or it was put off for long."""
        with self._changed:
            until = time.monotonic() + PATIENCE_S
            while self._is_held or self._is_put_off(until):
                self._changed.wait(self._pause(until))
            self._is_held = True
        yield from self._held()

    def _is_put_off(self, until: float) -> bool:
        now = time.monotonic()
        return now < until and (self._hurrying > 0 or now < self._kept_until)

    def _pause(self, until: float) -> Optional[float]:
        """How long to wait for a change; None for as long as it takes."""
        if self._is_held:
            return None
        return max(0.0, (until if self._hurrying else min(until, self._kept_until)) - time.monotonic())

    def _held(self, kept_s: float = 0.0) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._is_held = False
                self._kept_until = max(self._kept_until, time.monotonic() + kept_s)
                self._changed.notify_all()
