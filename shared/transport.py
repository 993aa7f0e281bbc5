"""Transports carry frames between a client and a server, and know nothing of what the frames say.

A transport belongs to the thread that made it: ZeroMQ's sockets may not be shared. What goes wrong in ZeroMQ becomes
ConnectionFailed here and nowhere else.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Callable, Iterator, Optional, Protocol, Sequence

import zmq
from zmq.utils.monitor import recv_monitor_message

from terrafine.shared import wire
from terrafine.shared.errors import Cancelled, ConnectionFailed, TerrafineError
from terrafine.shared.messages import STREAMED, Cancel, Cancelling, Failed, Message, Ping, Pong

CONNECT_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 10.0
HEARTBEAT_INTERVAL_S = 2.0
HEARTBEAT_TIMEOUT_S = 10.0  # answered by ZeroMQ itself, however busy the other side is
_GONE = zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
_HINT = "Check that the server runs, and that its address and port are right."


class Transport(Protocol):
    """What a Client needs: each call raises ConnectionFailed where the other side cannot be reached."""

    def send(self, frames: Sequence[bytes]) -> None: ...

    def receive(self, timeout_s: float) -> Optional[Sequence[wire.Frame]]:
        """The frames of the next message, or None if none comes in time."""

    def close(self) -> None: ...


class ZmqTransport:
    """A connection to the server at `address` ("tcp://host:port").

    It is made once and never mends itself: a server that comes back has forgotten its sessions, so whoever owns the
    client begins anew with another, and sends all marks.
    """

    def __init__(self, address: str, connect_timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        self.address = address
        # The process's context: one of our own would wait, when it is collected, for sockets that nobody closed.
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self._set_options()
        self._monitor: zmq.Socket[bytes] = self._socket.get_monitor_socket(_GONE | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        try:
            self._connect(connect_timeout_s)
        except BaseException:
            self.close()
            raise

    def send(self, frames: Sequence[bytes]) -> None:
        try:
            if self._monitor.poll(0):
                raise self._failure("has gone")
            self._socket.send_multipart(frames)
        except zmq.ZMQError as error:
            raise self._failure("takes no more messages") from error

    def receive(self, timeout_s: float) -> Optional[Sequence[wire.Frame]]:
        try:
            ready = self._wait(timeout_s)
            if self._socket in ready:
                return self._socket.recv_multipart()
        except zmq.ZMQError as error:
            raise self._failure("cannot be heard") from error
        if self._monitor in ready:
            raise self._failure("has gone")
        return None

    def close(self) -> None:
        """Close without waiting for anything; may be called twice."""
        if not self._socket.closed:
            self._socket.disable_monitor()
            self._monitor.close(linger=0)
            self._socket.close(linger=0)

    def _set_options(self) -> None:
        options = {
            zmq.LINGER: 0,
            zmq.IMMEDIATE: 1,  # nothing is queued for a server that is not there
            zmq.RECONNECT_IVL: -1,
            zmq.SNDHWM: 16,
            zmq.RCVHWM: 0,  # a ROUTER drops what its peer does not take
            zmq.SNDTIMEO: int(SEND_TIMEOUT_S * 1000),
            zmq.MAXMSGSIZE: wire.MAX_MESSAGE_BYTES,
            zmq.HEARTBEAT_IVL: int(HEARTBEAT_INTERVAL_S * 1000),
            zmq.HEARTBEAT_TIMEOUT: int(HEARTBEAT_TIMEOUT_S * 1000),
        }
        for option, value in options.items():
            self._socket.setsockopt(option, value)

    def _connect(self, timeout_s: float) -> None:
        """Wait until the two sides have shaken hands: a port where something else listens is no server."""
        try:
            self._socket.connect(self.address)
        except zmq.ZMQError as error:
            raise ConnectionFailed(f"'{self.address}' is no address.", "It looks like tcp://127.0.0.1:5555.") from error
        if not self._monitor.poll(int(timeout_s * 1000)):
            raise self._failure("does not answer")
        if recv_monitor_message(self._monitor)["event"] != zmq.EVENT_HANDSHAKE_SUCCEEDED:
            raise self._failure("does not answer")

    def _wait(self, timeout_s: float) -> list[zmq.Socket[bytes]]:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        return [socket for socket, _ in poller.poll(int(timeout_s * 1000))]

    def _failure(self, what: str) -> ConnectionFailed:
        return ConnectionFailed(f"The server at {self.address} {what}.", _HINT)


class LocalTransport:
    """A server within this process, without sockets: what is sent goes to `handle` and its replies come back.

    Everything passes through the codec all the same. Ping and Cancel are answered here, as the server's socket thread
    does; requests are worked on one after the other, each when its replies are received.
    """

    def __init__(self, handle: Callable[[Message], Iterator[Message]]) -> None:
        self._handle = handle
        self._work: deque[tuple[str, Iterator[Message]]] = deque()

    def send(self, frames: Sequence[bytes]) -> None:
        request_id, message = wire.unpack(frames)
        if isinstance(message, Ping):
            self._work.appendleft((request_id, iter([Pong(busy=bool(self._work))])))
        elif isinstance(message, Cancel):
            self._cancel(message.request)
            self._work.appendleft((request_id, iter([Cancelling(message.request)])))
        else:
            self._work.append((request_id, self._answer(message)))

    def receive(self, timeout_s: float) -> Optional[Sequence[wire.Frame]]:
        while self._work:
            request_id, replies = self._work[0]
            reply = next(replies, None)
            if not isinstance(reply, STREAMED):
                self._work.popleft()
            if reply is not None:
                return wire.pack(reply, request_id)
        time.sleep(min(timeout_s, 0.001))
        return None

    def close(self) -> None:
        self._work.clear()

    def _answer(self, message: Message) -> Iterator[Message]:
        try:
            yield from self._handle(message)
        except TerrafineError as error:
            yield Failed(error.code, error.message, error.hint)

    def _cancel(self, cancelled: str) -> None:
        for index, (request_id, _) in enumerate(self._work):
            if request_id == cancelled:
                self._work[index] = (request_id, iter([Failed(Cancelled.code, "The request was cancelled.")]))
