"""What a client may have counts over all engines: real engines, each in its own room, without Ray in between."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.server.cluster import quotas as quotas_module
from terrafine.server.cluster.placement import Placement
from terrafine.server.cluster.quotas import Content, Quotas, Use
from terrafine.server.dispatch import Dispatcher
from terrafine.server.gateway.jobs import Job
from terrafine.server.journal.folder import StateFolder
from terrafine.server.process.child import EngineOptions
from terrafine.server.rasters import contents
from terrafine.server.zoo import Zoo
from terrafine.shared import messages as m
from terrafine.shared import wire
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.errors import EngineRestarted
from terrafine.shared.geo import Grid, Window
from terrafine.shared.patch import Patch, digest
from terrafine.shared.raster import RasterInfo

ray = pytest.importorskip("ray", reason="needs terrafine[cluster]")

from terrafine.server.cluster import actor as actor_module  # noqa: E402
from terrafine.server.cluster import engine as engine_module  # noqa: E402

RASTER = RasterInfo(Grid(40, 30, gsd_m=0.5), "uint8", (1, 2, 3), ((0.0, 255.0),) * 3)
WINDOW = RASTER.grid.window
BLOCK_BYTES = 40 * 30 * (3 + 1)
_NUMBERS = count(1)


class Handle:
    """Of an actor, which answers at once, or is dead."""

    def __init__(self, actor: actor_module.EngineActor) -> None:
        self.actor, self.is_dead = actor, False

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=lambda *words: None if self.is_dead else (getattr(self.actor, name)(*words),))


def got(reference: Any) -> Any:
    if reference is None:
        raise ray.exceptions.ActorDiedError
    return reference[0]


class Team:
    """Engines of one server; `ask` does what its gateway would."""

    def __init__(self, models: Path, state: Path) -> None:
        options = EngineOptions((models,), device="cpu", threads=1, saved_models=state.parent / "saved")
        journals = StateFolder(state, is_shared=True)
        self.quotas: Quotas[engine_module.ActorEngine] = Quotas()
        self.quotas.know(journal.state for journal in journals.look())
        placement: Placement[engine_module.ActorEngine] = Placement(lambda key, _holder: self.quotas.forget(key))
        self.handles = [Handle(actor_module.EngineActor(options, state)) for _ in range(2)]
        self.engines = [engine_module.ActorEngine(handle, placement, self.quotas) for handle in self.handles]
        for engine in self.engines * 2:  # the beat is asked for, and then heard
            engine.attend()

    def ask(self, message: m.Message, client: str = "me") -> m.Message:
        """The last reply."""
        frames, number = wire.pack(message, "a"), next(_NUMBERS)
        job = Job(b"", "a", message, client, frames)
        engine = next(engine for engine in self.engines if engine.takes(job))
        answer = engine.advance(number, frames, client)
        while not answer.last:
            answer = engine.advance(number)
        return wire.unpack(answer.frames)[1]

    def open(self, *names: str) -> None:
        for name in names:
            assert isinstance(self.ask(opening(name)), m.SessionOpened)

    @property
    def sessions(self) -> list[int]:
        """How many are open in each engine."""
        return [handle.actor.beat().figures["sessions"] for handle in self.handles]

    def kill(self, number: int) -> None:
        self.handles[number].is_dead = True
        with pytest.raises(EngineRestarted):
            self.engines[number].advance(0, [b""])


@pytest.fixture(scope="module")
def load() -> Callable[..., Predictor]:
    """As the registry's, but each model once."""
    return lru_cache(registry.load_predictor)


@pytest.fixture
def start(models: Path, tmp_path: Path, load, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Team]:
    """A server on the same state folder each time."""
    monkeypatch.setattr(registry, "load_predictor", load)
    context = SimpleNamespace(get_node_id=lambda: "node")
    monkeypatch.setattr(actor_module, "ray", SimpleNamespace(get_runtime_context=lambda: context))
    at_once = SimpleNamespace(get=got, wait=lambda found, timeout: (found, []), exceptions=ray.exceptions)
    monkeypatch.setattr(engine_module, "ray", at_once)
    return lambda: Team(models, tmp_path / "state")


@pytest.fixture
def team(start: Callable[[], Team]) -> Team:
    return start()


@pytest.fixture
def room_for(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """room_for(n): blocks of pixels, of one client."""
    return lambda blocks: monkeypatch.setattr(contents, "OWNER_BYTES", blocks * BLOCK_BYTES)


def opening(name: str) -> m.OpenSession:
    return m.OpenSession(name, "tiny", RASTER)


def pixels(session: str, value: int) -> m.PutPixels:
    return m.PutPixels(session, block(value))


def block(value: int) -> Patch:
    return Patch(WINDOW, np.full((3, *WINDOW.shape), value, np.uint8), np.ones(WINDOW.shape, bool))


def refused(reply: m.Message) -> bool:
    assert isinstance(reply, (m.PixelsStored, m.Failed))
    return isinstance(reply, m.Failed) and reply.code == "out_of_memory"


def test_sessions_that_are_open_count_over_all_engines(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas_module, "MAX_SESSIONS", 3)
    team.open(*"abcde")
    assert sum(team.sessions) == 3


def test_the_session_used_longest_ago_rests_and_goes_on_with_its_marks(team: Team, monkeypatch) -> None:
    monkeypatch.setattr(quotas_module, "MAX_SESSIONS", 2)
    mark = Annotation("1", "point", ((4.5, 4.5),), 1)
    team.open("a", "b")
    team.ask(m.ChangeAnnotations("a", Delta(0, 1, (mark,))))
    team.open("c")
    assert team.sessions == [2, 0]  # "b" rests
    assert team.ask(m.ChangeAnnotations("b", Delta(0, 1, (mark,)))).revision == 1
    assert team.sessions == [1, 1]  # "a" does
    assert team.ask(m.ChangeAnnotations("a", Delta(1, 2, removed=("1",)))).revision == 2


def test_sessions_of_others_rest_for_nobody(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas_module, "MAX_SESSIONS", 1)
    team.open("a")
    team.ask(opening("a"), "you")
    assert team.sessions == [1, 1]


def test_pixels_count_over_all_engines(team: Team, room_for: Callable[[int], None]) -> None:
    room_for(2)
    team.open("a", "b", "c")
    assert [refused(team.ask(pixels(name, value))) for value, name in enumerate("abc")] == [False, False, True]
    team.ask(opening("a"), "you")
    assert not refused(team.ask(pixels("a", 7), "you"))


def test_what_is_refused_is_said_as_without_ray(team: Team, models: Path, room_for: Callable[[int], None]) -> None:
    room_for(1)
    alone = Dispatcher(Zoo((models,), "cpu"))
    list(alone.handle(opening("a")))
    list(alone.handle(opening("b")))
    team.open("a", "b")
    for message in (pixels("a", 1), pixels("b", 2), m.Predict("b", WINDOW)):
        (expected,) = alone.handle(message)
        reply = team.ask(message)
        assert (type(reply), getattr(reply, "message", "")) == (type(expected), getattr(expected, "message", ""))
    assert isinstance(reply, m.Failed)


def test_a_content_that_sessions_in_two_engines_have_counts_once(team: Team, room_for) -> None:
    room_for(2)
    team.open("a", "b")
    team.ask(pixels("a", 1))
    assert team.ask(m.OfferPixels("b", (WINDOW,), (digest(block(1)),))).windows == ()
    team.open("c")
    assert not refused(team.ask(pixels("c", 2)))


def test_what_is_closed_or_put_in_the_place_of_something_is_free_again(team: Team, room_for) -> None:
    room_for(2)
    team.open("a", "b", "c")
    team.ask(pixels("a", 1))
    team.ask(pixels("b", 2))
    team.ask(m.CloseSession("a"))
    assert not refused(team.ask(pixels("c", 3)))
    assert refused(team.ask(pixels("c", 4)))
    assert team.quotas.held("me") == 2 * BLOCK_BYTES


def test_a_session_that_begins_anew_has_none_of_its_pixels(team: Team) -> None:
    team.open("a")
    team.ask(pixels("a", 1))
    team.ask(m.OpenSession("a", "tiny", RasterInfo(Grid(41, 30, gsd_m=0.5), "uint8", (1, 2, 3), RASTER.ranges)))
    assert team.quotas.held("me") == 0


def test_nothing_that_is_refused_makes_a_session_count_less(team: Team) -> None:
    team.open("a")
    team.ask(pixels("a", 1))
    team.kill(0)
    assert isinstance(team.ask(m.OfferPixels("a", (WINDOW,) * 5000, ("0" * 64,) * 5000)), m.Failed)
    assert team.quotas.held("me") == BLOCK_BYTES


def test_pixels_of_an_engine_that_died_still_count(team: Team, room_for: Callable[[int], None]) -> None:
    room_for(2)
    team.open("a", "b")
    for value, name in enumerate("ab"):
        team.ask(pixels(name, value))
    team.kill(0)
    team.open("c")
    assert refused(team.ask(pixels("c", 3)))
    team.ask(m.CloseSession("a"))
    assert not refused(team.ask(pixels("c", 3)))


def test_pixels_of_an_earlier_run_count_from_the_start(start: Callable[[], Team], room_for) -> None:
    room_for(2)
    team = start()
    team.open("a", "b")
    for value, name in enumerate("ab"):
        team.ask(pixels(name, value))
    again = start()
    assert (again.sessions, again.quotas.held("me")) == ([0, 0], 2 * BLOCK_BYTES)
    again.open("c")
    assert refused(again.ask(pixels("c", 3)))


names, places = st.sampled_from("ab"), st.integers(0, 2).map(lambda col: Window(col, 0, 1, 1))
blocks = st.dictionaries(places, st.integers(1, 4).map(lambda size: Content(str(size), size)))


@given(st.lists(st.tuples(names, st.builds(Use, names, st.booleans(), blocks, st.booleans()))))
def test_each_content_of_a_client_counts_once_whatever_came_and_went(uses: list[tuple[str, Use]]) -> None:
    quotas: Quotas[str] = Quotas()
    had: dict[tuple[str, str], dict[Window, Content]] = {}
    for client, use in uses:
        quotas.note(client, "engine", use)
        before = {} if use.is_all else had.get((client, use.session), {})
        had[client, use.session] = {**before, **use.blocks}
    for client in "ab":
        distinct = {content for (owner, _), own in had.items() if owner == client for content in own.values()}
        assert quotas.held(client) == sum(content.nbytes for content in distinct)
