"""The socket that clients connect to: where it may listen, and what it takes."""

from __future__ import annotations

from typing import Optional

import zmq

from terrafine.server.gateway.auth import Guard
from terrafine.shared.errors import ConfigError
from terrafine.shared.wire import MAX_FRAMES, MAX_MESSAGE_BYTES

LOOPBACK = ("127.0.0.1", "::1", "localhost")
WAITING_REPLIES = 64
WAITING_REQUESTS = 16  # of one connection, before they are read
HANDSHAKE_S = 5.0
HEARTBEAT_S, SILENCE_S = 10.0, 30.0  # a connection of which nothing is left but one end is given up


def check_host(host: str, encrypted: bool) -> None:
    """Raises ConfigError where others could listen in."""
    if not encrypted and host not in LOOPBACK:
        raise ConfigError(
            f"The server does not listen on {host} without keys: only this computer may reach it in plain text.",
            "Make keys, and name the folder:\n"
            "  terrafine keygen keys/server\n"
            "  terrafine clients add NAME 'PUBLICKEY' --keys keys        for each client\n"
            f"  terrafine serve --host {host} --keys keys\n"
            "Or reach it through an SSH tunnel: see docs/security.md.",
        )


def bind(context: zmq.Context[zmq.Socket[bytes]], host: str, port: int, guard: Optional[Guard]) -> zmq.Socket[bytes]:
    """A ROUTER at this address; port 0 is any free one. Raises ConfigError where it cannot be had."""
    front = context.socket(zmq.ROUTER)
    options = {
        zmq.ROUTER_MANDATORY: 1,
        zmq.MAXMSGSIZE: MAX_MESSAGE_BYTES,
        zmq.SNDHWM: WAITING_REPLIES,
        zmq.RCVHWM: WAITING_REQUESTS,
        zmq.HANDSHAKE_IVL: int(HANDSHAKE_S * 1000),
        zmq.HEARTBEAT_IVL: int(HEARTBEAT_S * 1000),
        zmq.HEARTBEAT_TIMEOUT: int(SILENCE_S * 1000),
        zmq.IPV6: int(":" in host),
    }
    for option, value in options.items():
        front.setsockopt(option, value)
    if guard is not None:
        guard.protect(front)
    try:
        front.bind(f"tcp://{_interface(host)}:{port}")
    except zmq.ZMQError as error:
        raise ConfigError(
            f"The server cannot listen on {host}, port {port}: {error.strerror}.",
            "Choose another with --port, or 0 for any; --host is an address of this computer.",
        ) from error
    return front


def receive(front: zmq.Socket[bytes]) -> tuple[bytes, list[zmq.Frame]]:
    """The connection's id and the frames of the next message; of too many frames so many that it will be refused."""
    sender = front.recv(zmq.NOBLOCK, copy=False)
    frames = [front.recv(zmq.NOBLOCK, copy=False)] if sender.more else []
    more = bool(frames) and frames[-1].more
    while more:
        frame = front.recv(zmq.NOBLOCK, copy=False)
        more = frame.more
        if len(frames) <= MAX_FRAMES:
            frames.append(frame)
    return sender.bytes, frames


def _interface(host: str) -> str:
    if host == "localhost":
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
