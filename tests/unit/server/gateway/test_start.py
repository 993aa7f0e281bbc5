"""The gateway while the engine starts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from terrafine.server.cli.status import table
from terrafine.server.gateway import admin, auth
from terrafine.server.gateway.keys import ClientList, write_pair
from terrafine.server.gateway.serve import Server
from terrafine.server.process.pipe import Answer
from terrafine.shared import messages as m
from terrafine.shared import wire
from terrafine.shared.client import Client
from terrafine.shared.errors import BadRequest, ConfigError, EngineRestarted
from terrafine.shared.transport import ClientKeys, ZmqTransport, new_secret_key

PATIENCE_S = 20.0


class Starting:
    """An engine that is not there before it is `let`; then it answers everything by its device, at once."""

    figures: dict[str, Any] = {}

    def __init__(self) -> None:
        self.let, self.ended = threading.Event(), threading.Event()
        self.trouble: Exception | None = None
        self.device, self.is_there, self.all = "", False, (self,)
        self.forgotten: list[str] = []

    def start(self) -> None:
        assert self.let.wait(PATIENCE_S)
        if self.trouble is not None:
            raise self.trouble
        if not self.ended.is_set():
            self.device, self.is_there = "cpu", True

    def end(self) -> None:
        self.ended.set()
        self.trouble = self.trouble or EngineRestarted("It ends.")
        self.let.set()

    def takes(self, _job: object) -> bool:
        return True

    def advance(self, _job: int, request=(), _client: str = "", _waited: float = 0.0) -> Answer:
        request_id, message = wire.unpack(request)
        reply = m.Welcome("", self.device) if isinstance(message, m.Hello) else m.Models(())
        return Answer(wire.pack(reply, request_id), last=True)

    def status(self) -> dict[str, Any]:
        times = {"starts": int(self.is_there), "recovery_s": None}
        return {"device": self.device, "pid": int(self.is_there), "figures": {}, **times}

    def forget_client(self, client: str) -> None:
        assert self.is_there
        self.forgotten.append(client)

    def attend(self) -> None: ...

    close = restart = attend

    def stop(self, _job: int) -> None: ...


@pytest.fixture
def engine() -> Starting:
    return Starting()


@pytest.fixture
def begin(engine: Starting, tmp_path: Path) -> Iterator[Callable[..., tuple[Server, Future[None]]]]:
    """begin(**options): a server that starts and then runs, and what will come of it."""
    pool, servers = ThreadPoolExecutor(1), []

    def live(server: Server) -> None:
        try:
            server.start()
            server.run()
        finally:
            server.close()

    def begun(**options: object) -> tuple[Server, Future[None]]:
        servers.append(Server(engine, state=tmp_path, **options))
        return servers[-1], pool.submit(live, servers[-1])

    yield begun
    for server in servers:
        server.stop()
    pool.shutdown()


def test_whoever_asks_while_the_engine_starts_is_told_so(begin, engine: Starting, tmp_path: Path) -> None:
    server, _ = begin()
    client = Client(ZmqTransport(server.address))
    assert client.ping().busy
    status = admin.ask(tmp_path, "status")
    assert status["engine"]["state"] == "starting"
    assert "starting" in table(status)
    engine.let.set()
    assert client.models() == ()
    assert admin.ask(tmp_path, "status")["engine"]["state"] != "starting"
    client.close()


def test_requests_and_greetings_wait_for_the_engine(begin, engine: Starting) -> None:
    server, _ = begin()
    with ThreadPoolExecutor(2) as pool:

        def asked(question: Callable[[Client], object]) -> object:
            client = Client(ZmqTransport(server.address))
            try:
                return question(client)
            finally:
                client.close()

        answers = [pool.submit(asked, question) for question in (lambda c: c.hello().device, lambda c: c.models())]
        asked(lambda client: client.ping())
        assert not any(answer.done() for answer in answers)
        engine.let.set()
        assert [answer.result(PATIENCE_S) for answer in answers] == ["cpu", ()]


def test_no_session_is_ended_by_an_engine_that_is_not_there(begin, tmp_path: Path) -> None:
    begin()
    with pytest.raises(BadRequest, match="starting"):
        admin.ask(tmp_path, "end_session", client="", session="s")


def test_who_is_revoked_while_the_engine_starts_is_forgotten_once_it_is_there(
    begin, engine: Starting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "REFRESH_S", 0.0)
    keys, listed = ClientKeys(write_pair(tmp_path / "server"), new_secret_key()), ClientList(tmp_path)
    listed.add("alice", keys.public)
    server, _ = begin(keys=tmp_path)
    client = Client(ZmqTransport(server.address, keys))
    client.ping()
    listed.revoke("alice")
    admin.ask(tmp_path, "status")  # the front has gone round once more
    assert engine.forgotten == []
    engine.let.set()
    while not engine.forgotten:
        admin.ask(tmp_path, "status")
    assert engine.forgotten == [keys.public]
    client.close()


@pytest.mark.parametrize(
    ("trouble", "said"), [(ConfigError("There is no such device."), "device"), (EngineRestarted(""), "did not start")]
)
def test_an_engine_that_cannot_start_ends_the_server(
    begin, engine: Starting, tmp_path: Path, trouble: Exception, said: str
) -> None:
    engine.trouble = trouble
    _, life = begin()
    engine.let.set()
    with pytest.raises(ConfigError, match=said):
        life.result(PATIENCE_S)
    assert not (tmp_path / admin.FILE).exists()


def test_a_server_that_is_stopped_while_it_starts_ends_in_order(begin) -> None:
    server, life = begin()
    server.stop()
    assert life.result(PATIENCE_S) is None
