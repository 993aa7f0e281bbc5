"""What goes out to the clients, at the pace of each: for the front's thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Optional

import zmq

log = logging.getLogger(__name__)
STALLED_S = 30.0  # a client that takes nothing for so long is given up


class Outbox:
    """Sends through `front` what is put to it, and what the engine hands over through `replies`.

    The first of a message's frames is the connection that it goes to. `gone` is told of each that is no more, or is
    given up.
    """

    def __init__(self, front: zmq.Socket[bytes], replies: zmq.Socket[bytes], gone: Callable[[bytes], None]) -> None:
        self._front = front
        self._replies = replies
        self._gone = gone
        self._stuck: Optional[_Stuck] = None
        self._given_up: set[bytes] = set()

    @property
    def is_stuck(self) -> bool:
        """Does a client keep the engine's replies waiting?"""
        return self._stuck is not None

    def send(self, frames: Sequence[bytes]) -> None:
        """Answer from the front; lost if the client does not keep up: it will ask again."""
        self._try(frames)

    def pass_on(self) -> None:
        """Send the engine's replies, as many as there are, until a client does not keep up."""
        if self._stuck is not None:
            self._retry(self._stuck)
        while self._stuck is None and self._replies.poll(0):
            frames = self._replies.recv_multipart()
            if not self._try(frames):
                self._stuck = _Stuck(frames, time.monotonic())

    def _retry(self, stuck: _Stuck) -> None:
        if self._try(stuck.frames):
            self._stuck = None
        elif time.monotonic() - stuck.since > STALLED_S:
            log.warning("gave up a client that takes nothing")
            self._gone(stuck.frames[0])
            self._given_up.add(stuck.frames[0])
            self._stuck = None

    def _try(self, frames: Sequence[bytes]) -> bool:
        """Send; False if the client's queue is full. A client that is gone gets nothing, and its work stops."""
        connection = frames[0]
        try:
            self._front.send_multipart(frames, zmq.NOBLOCK)
            self._given_up.discard(connection)
        except zmq.Again:
            return connection in self._given_up
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._given_up.discard(connection)
            self._gone(connection)
        return True


@dataclass
class _Stuck:
    """A reply whose client does not keep up."""

    frames: Sequence[bytes]
    since: float
