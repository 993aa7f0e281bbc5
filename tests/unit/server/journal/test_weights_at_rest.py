"""What all sessions together hold of what they learnt is bounded, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from terrafine.server.dispatch import Dispatcher
from terrafine.server.engine import weights
from terrafine.server.engine.weights import WeightsKept
from terrafine.server.journal.folder import StateFolder
from terrafine.server.zoo import Zoo
from terrafine.shared.annotation import Annotation
from terrafine.shared.client import Client
from terrafine.shared.errors import NotFound
from terrafine.shared.geo import Window, slices
from terrafine.shared.learning import LearnOptions
from terrafine.shared.patch import Patch
from terrafine.shared.spec import LandCover
from terrafine.shared.transport import LocalTransport

SIZE = Window(0, 0, 130, 100)
LESSON = LearnOptions("all", steps=1, rate=0.05)
MARKS = tuple(Annotation(str(i), "point", ((30.5 + 30 * i, 40.5),), i) for i in range(3))
SESSIONS = ("a", "b", "c")
FOURTH = LandCover(3, "solar panels", "#000080")


@pytest.fixture
def dispatcher(models: Path, tmp_path: Path) -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(Zoo([models], "cpu"), StateFolder(tmp_path / "state"))
    yield dispatcher
    dispatcher.close()


@pytest.fixture
def client(dispatcher: Dispatcher, noise, info_of) -> Client:
    """With sessions a, b and c on one raster, each with three marks."""
    client = Client(LocalTransport(dispatcher.handle))
    for name in SESSIONS:
        client.open_session(name, "tiny", info_of(noise(*SIZE.shape)))
        client.set_annotations(name, MARKS, 1)
    return client


@pytest.fixture
def read(noise):
    image = noise(*SIZE.shape)
    return lambda window: Patch(window, image[(slice(None), *slices(window, SIZE))], np.ones(window.shape, bool))


def mapped(client: Client, name: str, read) -> np.ndarray:
    out = np.full(SIZE.shape, 77, np.uint8)
    for item in client.predict(name, SIZE, read):
        if isinstance(item, Patch):
            out[slices(item.window, SIZE)] = item.array[0]
    return out


def lesson(client: Client, name: str, revision: int, read) -> str:
    (*_, learnt) = client.learn(name, revision, revision + 1, read, LESSON)
    return learnt.weights


def kept(dispatcher: Dispatcher, name: str) -> WeightsKept:
    return dispatcher.sessions._kept["", name].session.weights


def held(dispatcher: Dispatcher) -> int:
    return dispatcher.sessions.figures()["weights_bytes"]


def test_only_weights_in_use_are_in_memory(dispatcher: Dispatcher, client: Client, read) -> None:
    lesson(client, "a", 1, read)
    one = held(dispatcher)
    lesson(client, "a", 2, read)
    assert held(dispatcher) == one > 0
    client.use_weights("a", 3, 4, "")
    assert held(dispatcher) == 0


def test_what_was_learnt_before_is_read_when_it_is_used_again(dispatcher: Dispatcher, client: Client, read) -> None:
    first, once = lesson(client, "a", 1, read), mapped(client, "a", read)
    second, then = lesson(client, "a", 2, read), mapped(client, "a", read)
    assert (once != then).any()
    dispatcher.sessions.caches.clear()
    for revision, name, expected in ((3, first, once), (4, second, then)):
        client.use_weights("a", revision, revision + 1, name)
        np.testing.assert_array_equal(mapped(client, "a", read), expected)


def test_all_sessions_together_hold_what_they_may(
    dispatcher: Dispatcher, client: Client, read, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = {}
    for name in SESSIONS:
        lesson(client, name, 1, read)
        maps[name] = mapped(client, name, read)
    held_by = {name: kept(dispatcher, name).nbytes for name in SESSIONS}
    monkeypatch.setattr(weights, "KEPT_BYTES", held_by["b"] + held_by["c"])
    dispatcher.sessions.find("", "c")
    assert [kept(dispatcher, name).nbytes for name in SESSIONS] == [0, held_by["b"], held_by["c"]]
    monkeypatch.setattr(weights, "KEPT_BYTES", 1)
    dispatcher.sessions.caches.clear()
    for name in (*SESSIONS, *SESSIONS):
        np.testing.assert_array_equal(mapped(client, name, read), maps[name])
        assert held(dispatcher) == kept(dispatcher, name).nbytes > 0  # of the others', nothing


def test_work_goes_on_while_its_weights_rest(
    dispatcher: Dispatcher, client: Client, read, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson(client, "a", 1, read)
    expected = mapped(client, "a", read)
    dispatcher.sessions.caches.clear()
    monkeypatch.setattr(weights, "KEPT_BYTES", held(dispatcher))
    out = np.full(SIZE.shape, 77, np.uint8)
    for step, item in enumerate(client.predict("a", SIZE, read)):
        if step == 1:
            lesson(Client(LocalTransport(dispatcher.handle)), "b", 1, read)
            assert kept(dispatcher, "a").nbytes == 0
        if isinstance(item, Patch):
            out[slices(item.window, SIZE)] = item.array[0]
    np.testing.assert_array_equal(out, expected)


def test_a_legend_that_grew_is_there_again(dispatcher: Dispatcher, client: Client, read) -> None:
    lesson(client, "a", 1, read)
    client.set_legend("a", 2, 3, (*client.models()[-1].classes[:3], FOURTH), (0, 1, 2, 3))
    expected = mapped(client, "a", read)
    dispatcher.sessions.caches.clear()
    kept(dispatcher, "a").rest(with_current=True)
    assert held(dispatcher) == 0
    np.testing.assert_array_equal(mapped(client, "a", read), expected)
    assert len(kept(dispatcher, "a").current.predictor.spec.classes) == 4


def test_what_cannot_be_written_down_stays_in_memory(
    dispatcher: Dispatcher, client: Client, read, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, expected = lesson(client, "a", 1, read), mapped(client, "a", read)
    monkeypatch.setattr("terrafine.server.journal.rebuild.save_file", lambda *_: (_ for _ in ()).throw(OSError("full")))
    second = lesson(client, "a", 2, read)
    kept(dispatcher, "a").rest(with_current=True)
    assert held(dispatcher) > 0
    third = lesson(client, "a", 3, read)
    for revision, name in ((4, first), (5, second), (6, third)):
        client.use_weights("a", revision, revision + 1, name)
    client.use_weights("a", 7, 8, first)
    np.testing.assert_array_equal(mapped(client, "a", read), expected)


def test_an_old_lesson_that_is_lost_ends_nothing_else(client: Client, read, tmp_path: Path) -> None:
    first = lesson(client, "a", 1, read)
    (file,) = (tmp_path / "state").rglob("*.safetensors")
    lesson(client, "a", 2, read)
    expected = mapped(client, "a", read)
    file.write_bytes(b"torn")
    with pytest.raises(NotFound):
        client.use_weights("a", 3, 4, first)
    np.testing.assert_array_equal(mapped(client, "a", read), expected)
