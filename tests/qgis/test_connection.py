"""The thread that talks to the server, without the thread: what it does when the other side stumbles."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from terrafine.qgis_plugin.link.connection import _Connection
from terrafine.shared.errors import EngineRestarted, NotFound

REQUEST = SimpleNamespace(job=7, subject=SimpleNamespace(session="s", raster=None, info="known"))


class Work:
    """Fails with each error in turn, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.forgotten, self.done = list(errors), [], 0
        self.mirror = SimpleNamespace(forget=lambda session: not self.forgotten.append(session))

    def do(self, *_arguments) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.done += 1


def attempted(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> tuple[Work, list[str]]:
    """The work, and the names of the events that came of it."""
    events: list[str] = []
    told = SimpleNamespace(
        **{name: lambda *_, name=name: events.append(name) for name in ("described", "warned", "failed")}
    )
    connection = _Connection("test", "tcp://127.0.0.1:1", None, lambda event: event(told))
    connection._wanted, connection._work = REQUEST.job, Work(*errors)
    monkeypatch.setattr(connection, "_reader", lambda _raster: None)
    connection._attempt(REQUEST)
    return connection._work, events


def test_an_engine_that_broke_down_is_asked_again_with_all_that_the_plugin_knows(monkeypatch):
    work, events = attempted(monkeypatch, EngineRestarted("It broke down."))
    assert (work.forgotten, work.done) == (["s"], 1)
    assert events == ["described", "warned", "described"]


def test_an_engine_that_breaks_down_at_the_same_work_again_is_left_alone(monkeypatch):
    work, events = attempted(monkeypatch, EngineRestarted("It broke down."), EngineRestarted("It broke down."))
    assert work.done == 0
    assert events[-1] == "failed"


def test_a_session_that_the_server_forgot_is_brought_anew(monkeypatch):
    work, events = attempted(monkeypatch, NotFound("There is no such session."))
    assert (work.forgotten, work.done, events) == (["s"], 1, ["described", "described"])
