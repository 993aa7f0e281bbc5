from __future__ import annotations

import socket
import threading
import time
from typing import Iterator

import pytest
import zmq

from terrafine.shared import wire
from terrafine.shared.errors import BadRequest, ConfigError, ConnectionFailed, NotFound
from terrafine.shared.messages import Cancel, Cancelling, Failed, ListModels, Message, Models, Ping, Pong, Progress
from terrafine.shared.transport import ClientKeys, LocalTransport, ZmqTransport, is_key, new_secret_key, public_key


@pytest.fixture
def router() -> Iterator[tuple[zmq.Socket, str]]:
    context = zmq.Context()
    server = context.socket(zmq.ROUTER)
    server.linger = 0
    port = server.bind_to_random_port("tcp://127.0.0.1")
    yield server, f"tcp://127.0.0.1:{port}"
    context.destroy(linger=0)


def handle(message: Message) -> Iterator[Message]:
    if not isinstance(message, ListModels):
        raise NotFound("There is nothing here.", "Look elsewhere.")
    yield Progress(1, 2)
    yield Progress(2, 2)
    yield Models(())


def received(transport: LocalTransport) -> list[tuple[str, Message]]:
    return [wire.unpack(frames) for frames in iter(lambda: transport.receive(0), None)]


def test_frames_travel_both_ways_as_they_are(router):
    server, address = router
    transport = ZmqTransport(address)
    transport.send([b"header", b"buffer"])
    peer, *frames = server.recv_multipart()
    server.send_multipart([peer, *reversed(frames)])
    assert transport.receive(5) == [b"buffer", b"header"]
    transport.close()


def test_without_a_message_receive_returns_in_time(router):
    transport = ZmqTransport(router[1])
    began = time.monotonic()
    assert transport.receive(0.05) is None
    assert 0.04 < time.monotonic() - began < 20
    transport.close()


def test_a_port_where_nothing_listens_fails_with_a_hint():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ConnectionFailed) as caught:
        ZmqTransport(f"tcp://127.0.0.1:{port}", connect_timeout_s=3)
    assert str(port) in caught.value.message
    assert "Check" in caught.value.hint


def test_a_port_where_something_else_listens_is_no_server():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConnectionFailed, match="does not answer"):
            ZmqTransport(f"tcp://127.0.0.1:{other.getsockname()[1]}", connect_timeout_s=0.2)


@pytest.mark.parametrize("address", ["", "127.0.0.1:5555", "tcp://", "tcp://x:port", "gopher://x:1"])
def test_what_is_no_address_fails_at_once(address):
    with pytest.raises(ConnectionFailed):
        ZmqTransport(address, connect_timeout_s=0.2)


def test_a_server_that_goes_away_is_noticed_without_waiting(router):
    server, address = router
    transport = ZmqTransport(address)
    threading.Timer(0.1, server.close).start()
    with pytest.raises(ConnectionFailed, match="has gone"):
        transport.receive(5)
    transport.close()


def test_sending_to_a_server_that_went_away_fails_at_once(router):
    server, address = router
    transport = ZmqTransport(address)
    server.close()
    with pytest.raises(ConnectionFailed):
        transport.receive(5)
    began = time.monotonic()
    with pytest.raises(ConnectionFailed, match="has gone"):
        transport.send([b"hello"])
    assert time.monotonic() - began < 20
    transport.close()


def test_a_transport_may_be_closed_twice(router):
    transport = ZmqTransport(router[1])
    transport.close()
    transport.close()


@pytest.fixture
def vault() -> Iterator[tuple[zmq.Socket, str, str]]:
    """A server's socket that encrypts, its address and its public key; it lets in whoever knows that key."""
    context, secret = zmq.Context(), new_secret_key()
    server = context.socket(zmq.ROUTER)
    server.curve_server = 1
    server.curve_secretkey = secret.encode()
    port = server.bind_to_random_port("tcp://127.0.0.1")
    yield server, f"tcp://127.0.0.1:{port}", public_key(secret)
    context.destroy(linger=0)


def test_with_keys_frames_travel_both_ways_as_they_are(vault):
    server, address, key = vault
    transport = ZmqTransport(address, ClientKeys(key, new_secret_key()))
    transport.send([b"header", b"buffer"])
    peer, *frames = server.recv_multipart()
    server.send_multipart([peer, *reversed(frames)])
    assert transport.receive(5) == [b"buffer", b"header"]
    transport.close()


def test_a_server_without_the_secret_key_is_not_talked_to(vault):
    with pytest.raises(ConnectionFailed, match="public key"):
        ZmqTransport(vault[1], ClientKeys(public_key(new_secret_key()), new_secret_key()))


def test_a_client_without_keys_is_told_that_it_may_need_some(vault):
    with pytest.raises(ConnectionFailed, match="asks for keys"):
        ZmqTransport(vault[1])


def test_a_client_with_keys_does_not_fall_back_to_plain_text(router):
    with pytest.raises(ConnectionFailed):
        ZmqTransport(router[1], ClientKeys(public_key(new_secret_key()), new_secret_key()))


@pytest.mark.parametrize("text", ["", "x" * 39, "x" * 41, "x" * 39 + "é", "x" * 39 + "'", "#" * 40])
def test_what_is_no_key_is_said_so(text):
    assert not is_key(text)
    with pytest.raises(ConfigError, match="server's public key"):
        ClientKeys(text, new_secret_key())
    with pytest.raises(ConfigError, match="secret key"):
        ClientKeys(public_key(new_secret_key()), text)


def test_a_secret_key_is_not_shown():
    keys = ClientKeys(public_key(new_secret_key()), new_secret_key())
    assert keys.server in repr(keys)
    assert keys.secret not in repr(keys)


def test_a_local_transport_passes_requests_and_replies_through_the_codec():
    transport = LocalTransport(handle)
    transport.send(wire.pack(ListModels(), "7"))
    assert received(transport) == [("7", Progress(1, 2)), ("7", Progress(2, 2)), ("7", Models(()))]


def test_a_local_transport_turns_errors_into_failures():
    transport = LocalTransport(handle)
    transport.send(wire.pack(Pong(busy=False), "7"))
    assert received(transport) == [("7", Failed("not_found", "There is nothing here.", "Look elsewhere."))]


def test_a_local_transport_refuses_frames_that_cannot_be_unpacked():
    with pytest.raises(BadRequest):
        LocalTransport(handle).send([b"?"])


def test_a_local_ping_overtakes_work():
    transport = LocalTransport(handle)
    transport.send(wire.pack(ListModels(), "1"))
    transport.send(wire.pack(Ping(), "2"))
    assert received(transport)[0] == ("2", Pong(busy=True))


def test_a_local_cancel_ends_the_request_it_names():
    transport = LocalTransport(handle)
    transport.send(wire.pack(ListModels(), "1"))
    transport.receive(0)
    transport.send(wire.pack(Cancel("1"), "2"))
    assert received(transport) == [
        ("2", Cancelling("1")),
        ("1", Failed("cancelled", "The request was cancelled.")),
    ]
