"""Who may talk to a server that encrypts: asked at each handshake, and again with each message.

ZeroMQ asks at the handshake, over a socket inside the process (ZAP, its RFC 27), after the client has proved that it
holds the secret key beside the public one it showed. The front's thread answers. (pyzmq's authenticator would need
an asyncio loop in a thread of its own, which Windows does not give it, and would not say where a stranger called from.)
ZeroMQ then attaches the answer's user id, here the public key, to all that comes over the connection: no message can
claim another.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import zmq
from zmq.utils import z85

from terrafine.server.gateway.audit import Refusals
from terrafine.server.gateway.keys import ClientList, read_secret
from terrafine.shared.errors import NotAllowed
from terrafine.shared.transport import public_key

log = logging.getLogger(__name__)
NOBODY = "-"  # in the log: a stranger, or anybody on a server without keys; no client's name begins so
REFRESH_S = 1.0  # how soon a client that was revoked is
_ZAP = "inproc://zeromq.zap.01"
_VERSION, _YES, _NO = b"1.0", (b"200", b"OK"), (b"400", b"This key is not allowed.")


class Guard:
    """Answers ZeroMQ's questions; for the front's thread alone. It is bound before the front: none goes unasked."""

    def __init__(self, keys: Path, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """`keys` is the folder that keys.py describes. Raises ConfigError where the server has no keys there."""
        self._secret = read_secret(keys / "server")
        self.public = public_key(self._secret)
        self._list = ClientList(keys)
        self._changed_at, self._names = self._list.changed_at(), self._list.read()
        self._read_at = time.monotonic()
        self._revoked: list[str] = []
        self._refusals = Refusals()
        self.questions = context.socket(zmq.REP)
        self.questions.bind(_ZAP)

    def protect(self, front: zmq.Socket[bytes]) -> None:
        """From its binding on, the socket takes encrypted connections only, and none without asking here."""
        front.setsockopt(zmq.CURVE_SERVER, 1)
        front.setsockopt_string(zmq.CURVE_SECRETKEY, self._secret)
        front.setsockopt_string(zmq.ZAP_DOMAIN, "terrafine")
        front.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # refuse, if nobody answers

    def answer(self) -> None:
        """Answer the handshakes that wait."""
        while self.questions.poll(0):
            _version, request_id, _domain, address, _identity, mechanism, *credentials = self.questions.recv_multipart()
            key = _key_of(mechanism, credentials)
            if key not in self._names and self._list.changed_at() != self._changed_at:  # added just now?
                self._read()
            allowed = key in self._names
            user = key.encode("ascii") if allowed else b""
            self._log(key, _text(address))
            self.questions.send_multipart([_VERSION, request_id, *(_YES if allowed else _NO), user, b""])

    def _log(self, key: str, address: str) -> None:
        if key in self._names:
            log.info("took a connection: client=%s address=%s", self._names[key], address)
        else:
            self._refusals.add(NOBODY, NotAllowed.code, f"key {key[:8]} from {address}")

    def client_of(self, frames: Sequence[zmq.Frame]) -> str:
        """The public key of whoever sent the frames; raises NotAllowed if it is not on the list (any more)."""
        try:
            key = str(frames[0].get("User-Id"))
        except (IndexError, zmq.ZMQError):  # no frames, or nobody was asked about their connection
            key = ""
        if key not in self._names:
            raise NotAllowed("The server does not accept your key any more.", "Ask its administrator to add it.")
        return key

    def name(self, key: str) -> str:
        """Whose key it is, for the log."""
        return self._names.get(key, NOBODY)

    def refresh(self) -> list[str]:
        """Read the list again, if it was some time ago; returns the keys that are on it no more."""
        if time.monotonic() - self._read_at > REFRESH_S:
            self._read()
        revoked, self._revoked = self._revoked, []
        return revoked

    def _read(self) -> None:
        self._changed_at = self._list.changed_at()
        before, self._names, self._read_at = self._names, self._list.read(), time.monotonic()
        for key in self._names.keys() ^ before.keys():
            log.info(
                "%s: client=%s", *(("added", self._names[key]) if key in self._names else ("revoked", before[key]))
            )
        self._revoked += [key for key in before if key not in self._names]


def _key_of(mechanism: bytes, credentials: list[bytes]) -> str:
    """Empty for what is no key."""
    if mechanism != b"CURVE" or len(credentials) != 1 or len(credentials[0]) != 32:
        return ""
    return z85.encode(credentials[0]).decode("ascii")


def _text(value: bytes) -> str:
    return value[:64].decode("ascii", "replace")
