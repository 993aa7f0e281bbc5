"""Transports carry frames between a client and a server, and know nothing of what the frames say.

A transport belongs to the thread that made it: ZeroMQ's sockets may not be shared. What goes wrong in ZeroMQ becomes
ConnectionFailed here and nowhere else.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Callable, Iterator, Optional, Protocol, Sequence

import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from terrafine.shared import wire
from terrafine.shared.errors import Cancelled, ConfigError, ConnectionFailed, NotAllowed, TerrafineError
from terrafine.shared.messages import STREAMED, Cancel, Cancelling, Failed, Message, Ping, Pong

CONNECT_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 10.0
HEARTBEAT_INTERVAL_S = 2.0
HEARTBEAT_TIMEOUT_S = 10.0  # answered by ZeroMQ itself, however busy the other side is
_GONE = (
    zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CLOSED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_HINT = "Check that the server runs, and that its address and port are right."
_HINT_KEYS = "Check that the server runs, that its address and port are right, and that this is its public key."
_HINT_NO_KEYS = f"{_HINT} A server on another computer asks for keys."
_KEYS_ARE = "A key has 40 characters; copy all of them."


class Transport(Protocol):
    """What a Client needs: each call raises ConnectionFailed where the other side cannot be reached."""

    def send(self, frames: Sequence[bytes]) -> None: ...

    def receive(self, timeout_s: float) -> Optional[Sequence[wire.Frame]]:
        """The frames of the next message, or None if none comes in time."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class ClientKeys:
    """What a client needs to talk to a server in secret (CURVE), as texts of 40 characters (Z85).

    server  the server's public key: only whoever has the secret key beside it can answer
    secret  the client's own secret key, which never leaves it and is not shown by repr()

    Raises ConfigError for what is no key, ConnectionFailed where ZeroMQ was built without encryption.
    """

    server: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if not is_key(self.server):
            raise ConfigError("The server's public key is no key.", _KEYS_ARE)
        public_key(self.secret)

    @property
    def public(self) -> str:
        """The client's public key, which the server's administrator adds to those allowed."""
        return public_key(self.secret)


def new_secret_key() -> str:
    """Raises ConnectionFailed where ZeroMQ was built without encryption."""
    try:
        public, secret = zmq.curve_keypair()
    except zmq.ZMQError as error:
        raise _unable() from error
    # A public key is typed on command lines, which would take a first "-" for an option.
    return new_secret_key() if public.startswith(b"-") else secret.decode("ascii")


def public_key(secret: str) -> str:
    """The public key beside a secret one. Raises ConfigError for what is no key, ConnectionFailed as above."""
    if not is_key(secret):
        raise ConfigError("The secret key is no key.", _KEYS_ARE)
    try:
        return zmq.curve_public(secret.encode("ascii")).decode("ascii")
    except zmq.ZMQError as error:
        raise _unable() from error


def is_key(text: str) -> bool:
    """Is this the text of a key, public or secret?"""
    try:
        return len(z85.decode(text.encode("ascii"))) == 32
    except (ValueError, KeyError, struct.error):  # another length, other characters, a number beyond 32 bits
        return False


class ZmqTransport:
    """A connection to the server at `address` ("tcp://host:port"), encrypted if there are `keys`.

    It is made once and never mends itself: a server that comes back has forgotten its sessions, so whoever owns the
    client begins anew with another, and sends all marks.

    Raises NotAllowed where the server does not know the client's key, ConnectionFailed where it cannot be reached. A
    server that asks for keys and a client without any, or with another server's, do not answer each other.
    """

    def __init__(
        self, address: str, keys: Optional[ClientKeys] = None, connect_timeout_s: float = CONNECT_TIMEOUT_S
    ) -> None:
        self.address = address
        self._hint = _HINT_KEYS if keys else _HINT_NO_KEYS
        # The process's context: one of our own would wait, when it is collected, for sockets that nobody closed.
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self._set_options()
        self._monitor: zmq.Socket[bytes] = self._socket.get_monitor_socket(_GONE | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        try:
            self._encrypt(keys)
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

    def _encrypt(self, keys: Optional[ClientKeys]) -> None:
        if keys is None:
            return
        try:
            self._socket.curve_serverkey = keys.server.encode("ascii")
            self._socket.curve_publickey = keys.public.encode("ascii")
            self._socket.curve_secretkey = keys.secret.encode("ascii")
        except zmq.ZMQError as error:
            raise _unable() from error

    def _connect(self, timeout_s: float) -> None:
        """Wait until the two sides have shaken hands: a port where something else listens is no server."""
        try:
            self._socket.connect(self.address)
        except zmq.ZMQError as error:
            raise ConnectionFailed(f"'{self.address}' is no address.", "It looks like tcp://127.0.0.1:5555.") from error
        if not self._monitor.poll(int(timeout_s * 1000)):
            raise self._failure("does not answer")
        event = recv_monitor_message(self._monitor)["event"]
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            raise NotAllowed(
                f"The server at {self.address} does not know your key.", "Ask its administrator to add it."
            )
        if event != zmq.EVENT_HANDSHAKE_SUCCEEDED:
            raise self._failure("does not answer")

    def _wait(self, timeout_s: float) -> list[zmq.Socket[bytes]]:
        return [socket for socket, _ in self._poller.poll(int(timeout_s * 1000))]

    def _failure(self, what: str) -> ConnectionFailed:
        return ConnectionFailed(f"The server at {self.address} {what}.", self._hint)


def _unable() -> ConnectionFailed:
    return ConnectionFailed("The ZeroMQ that is installed here cannot encrypt.", "Install another pyzmq.")


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
