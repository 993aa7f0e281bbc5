"""What an engine on a cluster does between its turns and its blocks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("ray")
from terrafine.server.cluster import actor as actor_module
from terrafine.server.cluster.actor import EngineActor
from terrafine.server.cluster.maps import Block, MapMaker
from terrafine.server.engine import memory
from terrafine.server.journal.folder import check_format
from terrafine.server.process.child import EngineOptions
from terrafine.shared import messages as m
from terrafine.shared.geo import Window
from terrafine.shared.wire import pack

AREA = Window(0, 0, 9, 9)


@pytest.fixture
def actor_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], EngineActor]:
    """Starts one."""
    context = SimpleNamespace(get_node_id=lambda: "node")
    monkeypatch.setattr(actor_module, "ray", SimpleNamespace(get_runtime_context=lambda: context))
    monkeypatch.setattr(actor_module, "settle", lambda: None)  # of a process of its own
    monkeypatch.setattr(MapMaker, "block", lambda *_: Block([], 0.0))
    check_format(tmp_path / "state")
    options = EngineOptions(device="cpu", saved_models=tmp_path / "saved")
    return lambda: EngineActor(options, tmp_path / "state")


@pytest.fixture
def actor(actor_of: Callable[[], EngineActor]) -> EngineActor:
    return actor_of()


@pytest.fixture
def returns(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One for each time that freed memory went back to the system."""
    returns: list[None] = []
    monkeypatch.setattr(memory, "give_back", lambda: returns.append(None))
    return returns


def test_what_is_freed_stays_at_hand_from_the_start(actor_of: Callable[[], EngineActor], monkeypatch) -> None:
    chosen: list[None] = []
    monkeypatch.setattr(actor_module, "keep", lambda: chosen.append(None))
    actor_of().close()
    assert chosen == [None]


def beats(actor: EngineActor) -> str:
    return [actor.beat() for _ in range(3 * memory.BEATS)][-1].birth


def test_memory_is_given_back_after_turns_and_not_again_until_there_were_more(actor, returns: list[None]) -> None:
    birth = beats(actor)
    idle = len(returns)
    for turn in range(1, 3):
        actor.begin(birth, turn, pack(m.ListModels(), "a"), "", 0.0, 0)
        beats(actor)
        assert len(returns) == idle + turn
    actor.close()


def test_one_that_makes_blocks_alone_gives_memory_back_between_them(actor, returns: list[None]) -> None:
    for _ in range(3 * memory.BEATS):
        actor.block(None, AREA, ())
    assert len(returns) == 3
