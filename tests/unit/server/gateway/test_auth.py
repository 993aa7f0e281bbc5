"""Who is let in, asked as ZeroMQ asks at a handshake (its RFC 27)."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq
from zmq.utils import z85

from terrafine.server.gateway import keys
from terrafine.server.gateway.auth import Guard
from terrafine.shared.transport import new_secret_key, public_key


class Door:
    """A guard, and who knocks."""

    def __init__(self, folder: Path, context: zmq.Context) -> None:
        keys.write_pair(folder / "server")
        self.clients = keys.ClientList(folder)
        self._guard = Guard(folder, context)
        self._asking = context.socket(zmq.REQ)
        self._asking.connect("inproc://zeromq.zap.01")

    def opens(self, key: str, mechanism: bytes = b"CURVE") -> bool:
        credentials = z85.decode(key.encode())
        self._asking.send_multipart([b"1.0", b"7", b"terrafine", b"10.0.0.1", b"", mechanism, credentials])
        assert self._guard.questions.poll(1000)
        self._guard.answer()
        version, request, status, _text, user, _more = self._asking.recv_multipart()
        assert (version, request) == (b"1.0", b"7")
        assert user == (key.encode() if status == b"200" else b"")
        return status == b"200"


@pytest.fixture
def door(tmp_path: Path):
    with zmq.Context() as context:
        context.setsockopt(zmq.LINGER, 0)
        door = Door(tmp_path, context)
        yield door
        context.destroy()


@pytest.fixture
def key() -> str:
    return public_key(new_secret_key())


def test_who_is_on_the_list_is_let_in(door: Door, key: str) -> None:
    door.clients.add("alice", key)
    assert door.opens(key)


def test_strangers_are_not(door: Door, key: str) -> None:
    assert not door.opens(key)
    assert not door.opens(key, b"PLAIN")


def test_who_was_refused_a_moment_ago_is_let_in_as_soon_as_it_is_added(door: Door, key: str) -> None:
    for name in ("alice", "bob"):
        other = public_key(new_secret_key())
        assert not door.opens(other)
        door.clients.add(name, other)
        assert door.opens(other)
    assert not door.opens(key)


def test_strangers_who_knock_make_the_server_read_nothing(
    door: Door, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.clients.add("alice", key)
    assert door.opens(key)
    monkeypatch.setattr(keys.ClientList, "read", lambda self: pytest.fail("the list was read"))
    for _ in range(3):
        assert not door.opens(public_key(new_secret_key()))
