"""Connections that are cut or fall silent, engines that die, and the administrator's door."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zmq

from terrafine.server.gateway import admin, auth, front
from terrafine.server.gateway.keys import ClientList, write_pair
from terrafine.server.gateway.serve import Server
from terrafine.server.process.pipe import Answer
from terrafine.shared import messages as m
from terrafine.shared import transport, wire
from terrafine.shared.client import Client
from terrafine.shared.errors import BadRequest, ConnectionFailed, EngineRestarted
from terrafine.shared.geo import Window
from terrafine.shared.transport import ClientKeys, ZmqTransport, new_secret_key

PREDICT = m.Predict("s", Window(0, 0, 9, 9))


class Patient:
    """An engine: it answers ListModels at once, and all else with progress until it is stopped."""

    device, figures, is_there = "cpu", {"sessions": 1}, True

    def __init__(self) -> None:
        self.work: dict[int, str] = {}
        self.stopped: set[int] = set()
        self.forgotten: list[tuple[str, str]] = []
        self.deaths, self.starts = 0, 0
        self.goes_on, self.is_in_a_step = threading.Event(), threading.Event()
        self.goes_on.set()
        self.all = (self,)

    def takes(self, _job: object) -> bool:
        return True

    def start(self) -> None:
        self.starts += 1

    restart = start

    def advance(self, job: int, request=(), _client: str = "", _waited: float = 0.0) -> Answer:
        self.is_in_a_step.set()
        assert self.goes_on.wait(20)
        if self.deaths:
            self.deaths -= 1
            self.work.clear()
            raise EngineRestarted("It broke down.")
        if request:
            self.work[job], message = wire.unpack(request)
            if isinstance(message, m.ListModels):
                return Answer(wire.pack(m.Models(()), self.work.pop(job)), last=True)
        time.sleep(0.02)
        if job in self.stopped:
            return Answer(wire.pack(m.Failed("cancelled", ""), self.work.pop(job, "-")), last=True)
        return Answer(wire.pack(m.Progress(0, 1), self.work[job]), last=False)

    def stop(self, job: int) -> None:
        self.stopped.add(job)
        self.work.pop(job, None)

    def status(self) -> dict:
        return {"device": self.device, "pid": 1, "starts": self.starts, "figures": self.figures}

    def forget_client(self, client: str) -> None:
        self.forgotten.append((client, ""))

    def forget_session(self, client: str, session: str) -> None:
        self.forgotten.append((client, session))

    def attend(self) -> None: ...

    end = close = attend


@pytest.fixture
def engine() -> Patient:
    return Patient()


@pytest.fixture
def server(engine: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for module, name, value in (
        (front, "HEARTBEAT_S", 0.1),
        (front, "SILENCE_S", 0.4),
        (transport, "HEARTBEAT_INTERVAL_S", 0.1),
        (transport, "HEARTBEAT_TIMEOUT_S", 0.4),
    ):
        monkeypatch.setattr(module, name, value)
    server = Server(engine, state=tmp_path)
    server.start()
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server
    server.stop()
    thread.join(20)
    assert not thread.is_alive()


class Line:
    """A TCP connection between a client and the server that can be cut, or left open and dead."""

    def __init__(self, address: str) -> None:
        self._target = address.removeprefix("tcp://").split(":")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.is_dead = False
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._join, daemon=True).start()

    def cut(self) -> None:
        for end in (self._listener, *self._ends):
            end.close()

    def _join(self) -> None:
        near, _ = self._listener.accept()
        far = socket.create_connection(self._target)
        self._ends = [near, far]
        for source, target in ((near, far), (far, near)):
            source.settimeout(0.05)
            threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while True:
                if self.is_dead:
                    time.sleep(0.05)
                    continue
                try:
                    data = source.recv(65536)
                except socket.timeout:
                    continue
                if not data:
                    return
                target.sendall(data)
        except OSError:
            return


@pytest.fixture
def line(server: Server) -> Iterator[Line]:
    line = Line(server.address)
    yield line
    line.cut()


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def silence(line: Line) -> None:
    line.is_dead = True


@pytest.mark.parametrize("fault", [Line.cut, silence], ids=["cut", "half-open"])
def test_a_connection_that_is_lost_is_noticed_on_both_sides(line: Line, engine: Patient, fault) -> None:
    client = Client(ZmqTransport(line.address))
    replies = client.predict("s", PREDICT.window, lambda _: None)
    assert isinstance(next(replies), m.Progress)
    fault(line)
    with pytest.raises(ConnectionFailed):
        list(replies)
    until(lambda: not engine.work, "the server works on for nobody")
    client.close()


def test_a_client_that_comes_back_goes_on(line: Line, server: Server) -> None:
    client = Client(ZmqTransport(line.address))
    assert client.models() == ()
    line.cut()
    with pytest.raises(ConnectionFailed):
        client.models()
    client.close()
    again = Client(ZmqTransport(server.address))
    assert again.models() == ()
    again.close()


def test_what_an_engine_died_of_is_answered_and_what_waited_is_worked(server: Server, engine: Patient) -> None:
    client = Client(ZmqTransport(server.address))
    engine.deaths = 1
    with pytest.raises(EngineRestarted):
        client.models()
    assert client.models() == ()
    assert engine.starts == 2
    client.close()


def test_all_that_had_begun_is_answered_when_the_engine_dies(server: Server, engine: Patient) -> None:
    clients = [Client(ZmqTransport(server.address)) for _ in range(3)]
    runs = [client.predict(f"s{n}", PREDICT.window, lambda _: None) for n, client in enumerate(clients)]
    for replies in runs:
        next(replies)
    engine.deaths = 1
    for replies in runs:
        with pytest.raises(EngineRestarted):
            list(replies)
    for client in clients:
        client.close()


def test_who_asks_how_it_goes_is_answered_in_the_middle_of_a_step(
    server: Server, engine: Patient, tmp_path: Path
) -> None:
    engine.goes_on.clear()
    busy, asking = (Client(ZmqTransport(server.address)) for _ in range(2))
    with ThreadPoolExecutor(1) as pool:
        models = pool.submit(busy.models)
        assert engine.is_in_a_step.wait(20)
        assert asking.ping().busy
        assert asking.hello().device == "cpu"
        assert admin.ask(tmp_path, "status")["engine"]["state"] == "at work"
        assert not models.done()
        engine.goes_on.set()
        assert models.result(20) == ()
    for client in (busy, asking):
        client.close()


def test_clocks_that_jump_change_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(ZmqTransport(server.address))
    for now in (0.0, 4e9):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert client.models() == ()
        assert not client.ping().busy
    client.close()


def test_the_administrator_asks_through_the_state_folder(server: Server, engine: Patient, tmp_path: Path) -> None:
    status = admin.ask(tmp_path, "status")
    assert (status["address"], status["engine"]["starts"], status["engine"]["state"]) == (server.address, 1, "idle")
    assert admin.ask(tmp_path, "end_session", client="", session="s") == {}
    assert engine.forgotten == [("", "s")]
    assert (tmp_path / admin.FILE).stat().st_mode & 0o077 == 0


def test_a_client_that_was_revoked_is_listed_no_more(
    engine: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "REFRESH_S", 0.0)
    keys, listed = ClientKeys(write_pair(tmp_path / "server"), new_secret_key()), ClientList(tmp_path)
    listed.add("alice", keys.public)
    server = Server(engine, keys=tmp_path, state=tmp_path)
    server.start()
    thread = threading.Thread(target=server.run)
    thread.start()
    client = Client(ZmqTransport(server.address, keys))
    assert client.models() == ()
    assert list(admin.ask(tmp_path, "status")["clients"]) == ["alice"]
    listed.revoke("alice")
    until(lambda: admin.ask(tmp_path, "status")["clients"] == {}, "she is still listed")
    client.close()
    server.stop()
    thread.join(20)


@pytest.mark.parametrize("token", [None, 7, "", "x", "é"])
def test_who_cannot_read_the_state_folder_learns_nothing(server: Server, tmp_path: Path, token) -> None:
    door = json.loads((tmp_path / admin.FILE).read_text())
    (tmp_path / admin.FILE).write_text(json.dumps({**door, "token": token}))
    with pytest.raises(BadRequest, match="token"):
        admin.ask(tmp_path, "status")
    with zmq.Context() as context, context.socket(zmq.REQ) as raw:
        raw.connect(door["address"])
        for nonsense in (b"", b"\xff", b"[]", b"{", b"9" * 5000):
            raw.send(nonsense)
            assert raw.poll(5000)
            assert "error" in json.loads(raw.recv())


def test_the_door_is_gone_with_the_server(engine: Patient, tmp_path: Path) -> None:
    Server(engine, state=tmp_path).close()
    with pytest.raises(ConnectionFailed, match="No server"):
        admin.ask(tmp_path, "status")
