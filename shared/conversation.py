"""Requests and their replies over a transport: silence noticed, what nobody waits for stopped."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Iterable, Optional, TypeVar

from terrafine.shared import wire
from terrafine.shared.errors import BadRequest, Cancelled, ConnectionFailed, error_from_code
from terrafine.shared.messages import STREAMED, Cancel, Failed, Message, Ping

if TYPE_CHECKING:  # ZeroMQ may be missing where a client is only named
    from terrafine.shared.transport import Transport

IDLE_TIMEOUT_S = 10.0
PING_TIMEOUT_S = 5.0
_LOOK_UP_S = 0.05  # how often the receive loop looks whether it was cancelled
_Reply = TypeVar("_Reply")


class Conversation:
    """Belongs to one thread, like its transport; only `cancel` may be called from another.

    idle_timeout_s, ping_timeout_s   after so long without a word the server is pinged; and given up, without an answer
    bytes_sent, bytes_received       frames of all messages so far
    """

    def __init__(self, transport: Transport, idle_timeout_s: float, ping_timeout_s: float) -> None:
        self.idle_timeout_s = idle_timeout_s
        self.ping_timeout_s = ping_timeout_s
        self.bytes_sent = 0
        self.bytes_received = 0
        self._transport = transport
        self._ids = itertools.count(1)
        self._cancelled = threading.Event()
        self._abandoned: deque[str] = deque()

    def begin(self) -> None:
        """Forget earlier calls of `cancel`: it means what follows."""
        self._cancelled.clear()

    def cancel(self) -> None:
        """Make the cancellable exchange that is running raise Cancelled; without one, nothing happens. Any thread."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise Cancelled if `cancel` was called since `begin`."""
        if self._cancelled.is_set():
            raise Cancelled("The work was cancelled.")

    def close(self) -> None:
        self._transport.close()

    def ask(self, request: Message, kind: type[_Reply]) -> _Reply:
        """The one reply to a request that has one, and cannot be cancelled."""
        with Exchange(self, is_cancellable=False) as exchange:
            exchange.post(request)
            return expected(exchange.hear()[1], kind)

    def send(self, message: Message) -> str:
        """Send a request under a new id, which is returned; what was abandoned before is cancelled first."""
        while self._abandoned:
            self._post(Cancel(self._abandoned.popleft()))
        return self._post(message)

    def abandon(self, request_ids: Iterable[str]) -> None:
        """Have the server told, with the next request, that nobody waits for these. From any thread."""
        self._abandoned.extend(request_ids)

    def stop(self, request_ids: Iterable[str]) -> None:
        """Tell it now."""
        for request_id in request_ids:
            self._post(Cancel(request_id))

    def receive(self, timeout_s: float) -> Optional[tuple[str, Message]]:
        """The next reply, whatever it answers; None if none comes in time."""
        frames = self._transport.receive(timeout_s)
        if frames is None:
            return None
        self.bytes_received += sum(map(len, frames))
        return wire.unpack(frames)

    def mind_silence(self, silent_s: float, pinged: bool) -> bool:
        """Ping once when it has been silent for too long, give up when that is not answered; has it been pinged?"""
        if pinged and silent_s > self.idle_timeout_s + self.ping_timeout_s:
            raise ConnectionFailed("The server has gone silent.", "Check that it still runs, then connect again.")
        if not pinged and silent_s > self.idle_timeout_s:
            self.send(Ping())
            return True
        return pinged

    def _post(self, message: Message) -> str:
        request_id = str(next(self._ids))
        frames = wire.pack(message, request_id)
        self._transport.send(frames)
        self.bytes_sent += sum(map(len, frames))
        return request_id


class Exchange:
    """Requests that are under way at once, in a `with`: at its end the server is told to stop those that have no final
    reply yet. If it `is_cancellable`, Conversation.cancel makes whatever waits raise Cancelled.
    """

    def __init__(self, talk: Conversation, is_cancellable: bool = True) -> None:
        self._talk, self._is_cancellable = talk, is_cancellable
        self._under_way: dict[str, None] = {}  # in the order they were sent

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], *_: object) -> None:
        """A generator may be closed by the garbage collector, in any thread: no moment to use the socket."""
        end = self._talk.stop if kind is Cancelled else self._talk.abandon
        end(self._under_way)

    def post(self, request: Message) -> str:
        """Send a request; returns its id."""
        request_id = self._talk.send(request)
        self._under_way[request_id] = None
        return request_id

    def hear(self) -> tuple[str, Message]:
        """Wait for a reply to one of the requests, and whose id it is; what answers others is dropped.

        Raises the error that the server meant, ConnectionFailed where it is silent.
        """
        since, pinged = time.monotonic(), False
        while True:
            self.check()
            heard = self._talk.receive(_LOOK_UP_S)
            if heard is None:
                pinged = self._talk.mind_silence(time.monotonic() - since, pinged)
            elif heard[0] in self._under_way:
                return self._noted(*heard)
            else:
                since, pinged = time.monotonic(), False

    def hear_now(self) -> Optional[tuple[str, Message]]:
        """Likewise, but None if there is none yet."""
        self.check()
        while (heard := self._talk.receive(0.0)) is not None:
            if heard[0] in self._under_way:
                return self._noted(*heard)
        return None

    def check(self) -> None:
        """Raise Cancelled if it was."""
        if self._is_cancellable:
            self._talk.check()

    def _noted(self, request_id: str, reply: Message) -> tuple[str, Message]:
        if not isinstance(reply, STREAMED):
            del self._under_way[request_id]
        if isinstance(reply, Failed):
            raise error_from_code(reply.code, reply.message, reply.hint)
        return request_id, reply


def expected(reply: Message, kind: type[_Reply]) -> _Reply:
    """`reply`, if it is of that kind; raises BadRequest otherwise."""
    if not isinstance(reply, kind):
        raise unexpected(reply)
    return reply


def unexpected(reply: Message) -> BadRequest:
    return BadRequest(f"The server answered with '{wire.type_name(type(reply))}', which is no answer to this.")
