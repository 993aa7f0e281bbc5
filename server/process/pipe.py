"""What travels between the gateway and the engine's process: a small JSON head and a message's frames, as they are.

The pipe is inherited: nobody else can open it, and each side sees at once when the other is gone. Nothing is pickled.

    gateway → engine   {"do": "advance", "job": 7}                          up to its next reply, and what follows
                       {"do": "advance", "job": 7, "client": "…", "waited": 0.1} and a request's frames: begin
                       {"do": "stop", "job": 7}                             at once, also while it is at work
                       {"do": "forget_client", "client": "…"} and {"do": "forget_session", …, "session": "…"}
                       {"do": "leave"}
    engine → gateway   {"is": "ready", "device": "cpu"} or {"is": "unusable", "code": …, "message": …, "hint": …}
                       {"is": "reply", "job": 7, "last": true, "more": false} and its frames; more: another follows
                       {"is": "beat", "figures": {…}}                       every second
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Optional

from terrafine.shared.wire import Frame


class PipeClosed(Exception):
    """The other side is gone."""


class Parcel(NamedTuple):
    head: dict[str, Any]
    frames: list[bytes]


class Answer(NamedTuple):
    """A packed reply; the `last` one ends its request."""

    frames: list[bytes]
    last: bool


class Pipe:
    """One end of the pipe: any thread may send, one receives. Raises PipeClosed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def send(self, head: dict[str, Any], frames: Sequence[Frame] = ()) -> None:
        first = json.dumps({**head, "frames": len(frames)}).encode("ascii")
        try:
            with self._sending:
                for part in (first, *frames):
                    self._connection.send_bytes(part)
        except (OSError, ValueError) as error:  # a ValueError: of a handle that is closed
            raise PipeClosed from error

    def receive(self, timeout_s: Optional[float] = None) -> Optional[Parcel]:
        """The next parcel; None if none comes in time (without `timeout_s` it is waited for)."""
        try:
            if timeout_s is not None and not self._connection.poll(timeout_s):
                return None
            head = json.loads(self._connection.recv_bytes())
            return Parcel(head, [self._connection.recv_bytes() for _ in range(head.pop("frames"))])
        except (OSError, EOFError) as error:
            raise PipeClosed from error

    def close(self) -> None:
        self._connection.close()
