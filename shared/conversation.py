"""Requests and their replies over a transport: one at a time, silence noticed, what nobody waits for stopped."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Iterator, TypeVar

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
        """Make the cancellable request that is running raise Cancelled; without one, nothing happens. Any thread."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise Cancelled if `cancel` was called since `begin`."""
        if self._cancelled.is_set():
            raise _stopped()

    def close(self) -> None:
        self._transport.close()

    def ask(self, request: Message, kind: type[_Reply], cancellable: bool = False) -> _Reply:
        """The one reply to a request that has one."""
        for reply in self.stream(request, cancellable):
            answer = expected(reply, kind)
        return answer

    def stream(self, request: Message, cancellable: bool) -> Iterator[Message]:
        """Send a request and yield its replies, the final one last; the server is told if nobody waits for that."""
        request_id = self._send(request)
        ended = False
        try:
            while not ended:
                reply = self._next_reply(request_id, cancellable)
                ended = not isinstance(reply, STREAMED)
                if isinstance(reply, Failed):
                    raise error_from_code(reply.code, reply.message, reply.hint)
                yield reply
        except Cancelled:
            if not ended:
                self._send(Cancel(request_id))
            raise
        except GeneratorExit:
            # Perhaps the garbage collector's doing, in any thread and at any time: no moment to use the socket.
            if not ended:
                self._abandoned.append(request_id)
            raise

    def _next_reply(self, request_id: str, cancellable: bool) -> Message:
        """Wait for a reply to this request; what answers earlier ones is dropped."""
        heard, pinged = time.monotonic(), False
        while not (cancellable and self._cancelled.is_set()):
            frames = self._transport.receive(_LOOK_UP_S)
            if frames is None:
                pinged = self._mind_silence(time.monotonic() - heard, pinged)
                continue
            self.bytes_received += sum(map(len, frames))
            got_id, reply = wire.unpack(frames)
            if got_id == request_id:
                return reply
            heard, pinged = time.monotonic(), False
        raise _stopped()

    def _mind_silence(self, silent_s: float, pinged: bool) -> bool:
        """Ping once when it has been silent for too long, give up when that is not answered; has it been pinged?"""
        if pinged and silent_s > self.idle_timeout_s + self.ping_timeout_s:
            raise ConnectionFailed("The server has gone silent.", "Check that it still runs, then connect again.")
        if not pinged and silent_s > self.idle_timeout_s:
            self._send(Ping())
            return True
        return pinged

    def _send(self, message: Message) -> str:
        """Send a request under a new id, which is returned; what was abandoned before is cancelled first."""
        while self._abandoned:
            self._post(Cancel(self._abandoned.popleft()))
        return self._post(message)

    def _post(self, message: Message) -> str:
        request_id = str(next(self._ids))
        frames = wire.pack(message, request_id)
        self._transport.send(frames)
        self.bytes_sent += sum(map(len, frames))
        return request_id


def _stopped() -> Cancelled:
    return Cancelled("The work was cancelled.")


def expected(reply: Message, kind: type[_Reply]) -> _Reply:
    """`reply`, if it is of that kind; raises BadRequest otherwise."""
    if not isinstance(reply, kind):
        raise unexpected(reply)
    return reply


def unexpected(reply: Message) -> BadRequest:
    return BadRequest(f"The server answered with '{wire.type_name(type(reply))}', which is no answer to this.")
