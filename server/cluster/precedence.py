"""Who computes next on a device: an actor's turns for analysts go before its blocks of maps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Precedence:
    """A lock that those in a hurry get first. Whoever has it keeps it until the end of a step."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_held = False
        self._hurrying = 0

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """For a turn: next after the step that is at work."""
        with self._changed:
            self._hurrying += 1
            self._changed.wait_for(lambda: not self._is_held)
            self._hurrying -= 1
            self._is_held = True
        yield from self._held()

    @contextmanager
    def patient(self) -> Iterator[None]:
        """For a step of a block: once nobody hurries."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_held and not self._hurrying)
            self._is_held = True
        yield from self._held()

    def _held(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._is_held = False
                self._changed.notify_all()
