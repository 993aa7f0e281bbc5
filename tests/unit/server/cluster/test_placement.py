"""Sessions stick to the engine that holds them, and move when it goes."""

from __future__ import annotations

import pytest

from terrafine.server.cluster import placement as module
from terrafine.server.cluster.placement import Placement
from terrafine.shared import messages as m
from terrafine.shared.annotation import Delta


def opening(name: str) -> m.OpenSession:
    return m.OpenSession(name, "model", None)


def change(name: str) -> m.ChangeAnnotations:
    return m.ChangeAnnotations(name, Delta(0, 1))


@pytest.fixture
def dropped() -> list:
    return []


@pytest.fixture
def placement(dropped: list) -> Placement[str]:
    placement: Placement[str] = Placement(lambda key, holder: dropped.append((key, holder)))
    for engine in ("a", "b"):
        placement.come(engine)
    return placement


def test_a_session_stays_where_it_was_opened(placement: Placement[str]) -> None:
    holder = placement.holder("me", opening("s"))
    for number in range(5):
        placement.holder("me", opening(f"other {number}"))
    assert placement.holder("me", change("s")) == holder


def test_new_sessions_go_to_the_engine_that_holds_fewest(placement: Placement[str]) -> None:
    holders = [placement.holder("me", opening(str(number))) for number in range(6)]
    assert holders.count("a") == holders.count("b") == 3


def test_names_of_different_clients_are_different_sessions(placement: Placement[str]) -> None:
    assert placement.holder("me", opening("s")) != placement.holder("you", opening("s"))


def test_sessions_of_an_engine_that_goes_are_for_the_others(placement: Placement[str]) -> None:
    holders = {str(number): placement.holder("me", opening(str(number))) for number in range(4)}
    placement.leave("a")
    assert {placement.holder("me", change(name)) for name in holders} == {"b"}
    placement.come("a")
    assert {placement.holder("me", change(name)) for name in holders} == {"b"}


def test_nobody_holds_anything_while_nobody_is_there(placement: Placement[str]) -> None:
    placement.leave("a")
    placement.leave("b")
    assert placement.holder("me", opening("s")) is None
    placement.come("a")
    assert placement.holder("me", change("s")) == "a"


def test_sessions_that_are_closed_do_not_weigh(placement: Placement[str]) -> None:
    for name in ("s", "t", "u"):
        placement.holder("me", opening(name))
    assert placement.holder("me", m.CloseSession("s")) == "a"
    assert placement.holder("me", m.CloseSession("u")) == "a"
    assert placement.holder("me", opening("v")) == "a"


def test_the_oldest_session_of_a_client_makes_room(placement, dropped, monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 2)
    placement.holder("you", opening("s"))
    holder = placement.holder("me", opening("s"))
    placement.holder("me", opening("t"))
    assert dropped == []
    placement.holder("me", opening("u"))
    assert dropped == [(("me", "s"), holder)]
    assert placement.of("me") == [("me", "t"), ("me", "u")]
    assert placement.of("you") == [("you", "s")]


def test_what_was_closed_makes_room_first(placement, dropped, monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 2)
    placement.holder("me", opening("s"))
    placement.holder("me", opening("t"))
    placement.holder("me", m.CloseSession("t"))
    placement.holder("me", opening("u"))
    assert [key for key, _ in dropped] == [("me", "t")]


def test_names_that_nobody_opened_are_not_remembered(placement: Placement[str]) -> None:
    for number in range(9):
        placement.holder("me", change(str(number)))
    assert placement.of("me") == []
    assert [placement.holder("me", opening(name)) for name in ("s", "t")] == ["a", "b"]


def test_sessions_of_an_earlier_run_are_held_once_they_are_asked_for(placement: Placement[str]) -> None:
    placement.know([("me", "s"), ("me", "t")])
    assert [placement.holder("me", change(name)) for name in ("s", "t")] == ["a", "b"]
    assert placement.forget(("me", "s")) == "a"
