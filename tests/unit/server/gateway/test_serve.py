"""The sockets, in this process, around an engine that computes nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import zmq

from terrafine.server.gateway import jobs, outbox
from terrafine.server.gateway.serve import Server
from terrafine.server.process.turns import Turns
from terrafine.shared import messages as m
from terrafine.shared import wire
from terrafine.shared.errors import ConfigError
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch

PATCHES = 400  # of a quarter of a megabyte that no compression shrinks: more than all buffers on the way hold
SIDE = 512


class Flood:
    """Answers Predict with as many patches as there is room for, everything else with SessionClosed."""

    def __init__(self) -> None:
        self.noise = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE), np.uint8)
        self.sent = 0

    def steps(self, message: m.Message, cancelled, _client: str, _arrived: float):
        if not isinstance(message, m.Predict):
            yield m.SessionClosed("s")
            return
        for self.sent in range(1, PATCHES + 1):
            if cancelled():
                yield m.Failed("cancelled", "")
                return
            patch = Patch(Window(0, 0, SIDE, SIDE), self.noise, np.ones((SIDE, SIDE), bool), self.sent)
            yield m.PatchReady(patch)
        yield m.Done(0)


class InProcess:
    """The engine without a process of its own."""

    device, is_there = "cpu", True
    figures: dict = {}

    def __init__(self, flood: Flood) -> None:
        self.turns = Turns(flood)
        self.stop = self.turns.stop
        self.all = (self,)

    def takes(self, _job: object) -> bool:
        return True

    def advance(self, job: int, request=(), client: str = "", waited_s: float = 0.0):
        if request:
            self.turns.begin(job, request, client, waited_s)
        return self.turns.advance(job)

    def start(self) -> None: ...

    attend = restart = end = close = start

    def forget_client(self, client: str) -> None: ...


@pytest.fixture
def flood():
    return Flood()


@pytest.fixture
def server(flood: Flood):
    server = Server(InProcess(flood))
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server
    server.stop()
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def connect(server: Server):
    context = zmq.Context()

    def connected() -> zmq.Socket:
        client = context.socket(zmq.DEALER)
        client.set_hwm(1)
        client.connect(server.address)
        return client

    yield connected
    context.destroy(linger=0)


def ask(client: zmq.Socket, request_id: str, message: m.Message) -> None:
    client.send_multipart(wire.pack(message, request_id))


def reply(client: zmq.Socket) -> m.Message:
    """The next reply, but for its seconds, which every one has."""
    assert client.poll(60_000), "the server does not answer"
    message = wire.unpack(client.recv_multipart())[1]
    assert message.seconds["total"] >= 0
    return replace(message, seconds={})


def where_it_waits(flood: Flood) -> int:
    reached = 0
    while not reached or flood.sent != reached:
        reached = flood.sent
        time.sleep(0.5)
    return reached


def test_the_engine_waits_for_a_slow_client_and_nothing_is_lost(connect, flood: Flood) -> None:
    client = connect()
    ask(client, "1", m.Predict("s", Window(0, 0, 9, 9)))
    assert where_it_waits(flood) < PATCHES
    assert [reply(client).patch.revision for _ in range(PATCHES)] == list(range(1, PATCHES + 1))
    assert isinstance(reply(client), m.Done)


def test_others_are_answered_while_a_client_takes_nothing(connect, flood: Flood) -> None:
    slow, other = connect(), connect()
    ask(slow, "1", m.Predict("s", Window(0, 0, 9, 9)))
    where_it_waits(flood)
    ask(other, "1", m.Ping())
    assert reply(other) == m.Pong(busy=True)


def test_every_request_gets_its_final_reply_from_a_full_server(connect, flood, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_JOBS", 1)
    may_go_on = threading.Event()
    monkeypatch.setattr(flood, "steps", lambda *_, **__: (m.Done(0) for _ in [may_go_on.wait(10)]))
    client = connect()
    ask(client, "runs", m.ListModels())
    while not busy(client):
        continue
    for request_id in ("waits", "refused"):
        ask(client, request_id, m.Predict("s", Window(0, 0, 9, 9)))
    assert final(client) == ("refused", "busy")
    may_go_on.set()
    assert [final(client), final(client)] == [("runs", "done"), ("waits", "done")]


def busy(client: zmq.Socket) -> bool:
    ask(client, "ping", m.Ping())
    return reply(client).busy


def final(client: zmq.Socket) -> tuple[str, str]:
    """(request id, the error's code or "done")"""
    assert client.poll(60_000), "the server does not answer"
    request_id, message = wire.unpack(client.recv_multipart())
    return request_id, message.code if isinstance(message, m.Failed) else "done"


def test_a_client_that_takes_nothing_for_long_is_given_up(connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "STALLED_S", 0.5)
    slow, other = connect(), connect()
    ask(slow, "1", m.Predict("s", Window(0, 0, 9, 9)))
    ask(other, "1", m.CloseSession("t"))
    assert reply(other) == m.SessionClosed("s")


TOO_LARGE = m.Models(({"string": "x" * 70_000},) * 200)


def long_error():
    raise RuntimeError("x" * 100_000)


@pytest.mark.parametrize(
    ("answer", "code"), [(lambda: 1 / 0, "internal"), (long_error, "internal"), (lambda: [TOO_LARGE], "too_large")]
)
def test_a_reply_that_cannot_be_given_ends_its_request_alone(connect, flood, monkeypatch, answer, code: str) -> None:
    client = connect()
    with monkeypatch.context() as patched:
        patched.setattr(flood, "steps", lambda *_, **__: (yield from answer()))
        ask(client, "1", m.ListModels())
        assert reply(client).code == code
    ask(client, "2", m.ListModels())
    assert reply(client) == m.SessionClosed("s")


def test_a_server_without_an_engine_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    flood = Flood()
    monkeypatch.setattr(flood, "steps", lambda *_, **__: sys.exit())
    monkeypatch.setattr(threading, "excepthook", lambda _arguments: None)
    server = Server(InProcess(flood))
    thread = threading.Thread(target=server.run)
    thread.start()
    with zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.setsockopt(zmq.LINGER, 0)
        client.connect(server.address)
        ask(client, "1", m.CloseSession("s"))
        thread.join(10)
    assert not thread.is_alive()


def test_a_reply_is_no_request_and_does_not_wait_for_the_engine(connect, flood: Flood) -> None:
    client = connect()
    ask(client, "1", m.PatchReady(Patch(Window(0, 0, SIDE, SIDE), flood.noise, np.ones((SIDE, SIDE), bool))))
    assert reply(client).code == "bad_request"


def test_the_gateway_does_without_torch() -> None:
    names = ("cli.serve", "cli.status", "cli.sessions", "gateway.serve", "gateway.metrics", "process.engine")
    code = "import sys, " + ", ".join(f"terrafine.server.{name}" for name in names)
    code += "; sys.exit(sum(name in sys.modules for name in ('torch', 'rasterio', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_only_this_computer_is_listened_to(flood: Flood, host: str) -> None:
    with pytest.raises(ConfigError, match="without keys"):
        Server(InProcess(flood), host)


def test_a_taken_port_is_a_usage_error(server: Server) -> None:
    with pytest.raises(ConfigError, match="cannot listen"):
        Server(InProcess(Flood()), port=int(server.address.rpartition(":")[2]))
