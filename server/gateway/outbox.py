"""What goes out to the clients, at the pace of each: for the front's thread."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import zmq

from terrafine.server.gateway.jobs import JobQueue
from terrafine.shared.wire import Frame

log = logging.getLogger(__name__)
STALLED_S = 30.0  # a client that takes nothing for so long is given up


@dataclass
class _Stuck:
    """What waits for a client that does not keep up."""

    frames: deque[Sequence[Frame]] = field(default_factory=deque)
    since: float = field(default_factory=time.monotonic)


class Outbox:
    """Sends through `front` what is put to it, and what the engine's thread hands over through `replies`.

    The first of a message's frames is the connection that it goes to. The jobs of a connection that does not keep up
    get no turns until it does, so that little waits here; those of one that is gone, or is given up, are dropped.
    """

    def __init__(self, front: zmq.Socket[bytes], replies: zmq.Socket[bytes], jobs: JobQueue) -> None:
        self._front = front
        self._replies = replies
        self._jobs = jobs
        self._stuck: dict[bytes, _Stuck] = {}

    @property
    def is_stuck(self) -> bool:
        """Does something wait for a client?"""
        return bool(self._stuck)

    def send(self, frames: Sequence[Frame]) -> None:
        """Send what may be lost where the client does not keep up: it will ask again."""
        if bytes(frames[0]) not in self._stuck:
            self._try(frames)

    def post(self, frames: Sequence[Frame]) -> None:
        """Send after all that was posted before; it waits until the client takes it."""
        connection = bytes(frames[0])
        if connection in self._stuck:
            self._stuck[connection].frames.append(frames)
        elif not self._try(frames):
            self._stuck[connection] = _Stuck(deque([frames]))
            self._jobs.hold(connection)

    def pass_on(self) -> None:
        """Send what waits, and what the engine's thread has handed over, as far as the clients take it."""
        for connection in list(self._stuck):
            self._retry(connection)
        while self._replies.poll(0):
            self.post(self._replies.recv_multipart())

    def _retry(self, connection: bytes) -> None:
        stuck = self._stuck[connection]
        while stuck.frames and self._try(stuck.frames[0]):
            stuck.frames.popleft()
            stuck.since = time.monotonic()
        if not stuck.frames:
            self._free(connection)
        elif time.monotonic() - stuck.since > STALLED_S:
            log.warning("gave up a client that takes nothing")
            self._free(connection)
            self._jobs.drop(connection)

    def _free(self, connection: bytes) -> None:
        del self._stuck[connection]
        self._jobs.resume(connection)

    def _try(self, frames: Sequence[Frame]) -> bool:
        """Send; False if the client's queue is full. A client that is gone gets nothing, and its work stops."""
        try:
            self._front.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._jobs.drop(bytes(frames[0]))
        return True
