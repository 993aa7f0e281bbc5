"""An engine that died, and the next one on what it left: sessions are what they were, to the last pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from terrafine.server.dispatch import Dispatcher
from terrafine.server.journal.folder import StateFolder
from terrafine.server.zoo import Zoo
from terrafine.shared import messages as m
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.client import Client
from terrafine.shared.errors import NotFound
from terrafine.shared.geo import Window, slices
from terrafine.shared.learning import LearnOptions
from terrafine.shared.patch import Patch
from terrafine.shared.spec import LandCover
from terrafine.shared.transport import LocalTransport

SIZE = Window(0, 0, 130, 100)
QUICK = LearnOptions("decoder", steps=2, rate=0.3)
SOLAR = LandCover(3, "solar panels", "#000080")
Started = Callable[[], Client]


@pytest.fixture
def start(zoo: Zoo, tmp_path: Path) -> Iterator[Started]:
    """start(): a client of an engine on the state folder; the engine of before is left as it is, as if it had died."""
    dispatchers = []

    def started() -> Client:
        dispatchers.append(Dispatcher(zoo, StateFolder(tmp_path / "state")))
        return Client(LocalTransport(dispatchers[-1].handle))

    yield started
    for dispatcher in dispatchers:
        dispatcher.close()


@pytest.fixture
def image(noise) -> np.ndarray:
    return noise(*SIZE.shape)


@pytest.fixture
def read(image):
    return lambda window: Patch(window, image[(slice(None), *slices(window, SIZE))], np.ones(window.shape, bool))


def unread(_window: Window) -> Patch:
    raise AssertionError("the server asks for pixels that it was sent")


def mapped(client: Client, read, since: int | None = None, onto: np.ndarray | None = None) -> np.ndarray:
    out = np.full(SIZE.shape, 77, np.uint8) if onto is None else onto.copy()
    for item in client.predict("s", SIZE, read, since):
        if isinstance(item, Patch):
            out[slices(item.window, SIZE)] = item.array[0]
    return out


def marks(log: AnnotationLog):
    return log.add(*(Annotation(str(i), "point", ((30.5 + 30 * i, 40.5),), i) for i in range(3)))


def test_marks_and_pixels_are_there_again_and_the_map_is_the_same(start: Started, image, info_of, read) -> None:
    before, log = start(), AnnotationLog()
    before.open_session("s", "tiny", info_of(image))
    mapped(before, read)
    before.change_annotations("s", marks(log))
    before.change_annotations("s", log.remove("1"))
    expected = mapped(before, unread)
    after = start()
    np.testing.assert_array_equal(mapped(after, unread), expected)
    assert after.open_session("s", "tiny", info_of(image)).revision == 2
    after.change_annotations("s", log.undo())


def test_what_was_learnt_and_the_legend_are_there_again(start: Started, image, info_of, read) -> None:
    before, log = start(), AnnotationLog()
    before.open_session("s", "tiny", info_of(image))
    plain = mapped(before, read)
    before.change_annotations("s", marks(log))
    *_, learnt = before.learn("s", 1, 2, read, QUICK)
    marked = mapped(before, read)
    legend = (*before.models()[-1].classes[:3], SOLAR)
    before.set_legend("s", 2, 3, legend, (0, 1, 0, 3))
    merged = mapped(before, read)
    after = start()
    assert after.open_session("s", "tiny", info_of(image)).weights == learnt.weights
    np.testing.assert_array_equal(mapped(after, unread), merged)
    after.set_legend("s", 3, 4, legend, (0, 1, 2, 3))
    assert (mapped(after, unread) == marked).mean() > 0.99  # a class more takes a pixel or two
    after.use_weights("s", 4, 5, "")
    after.set_annotations("s", (), 6)
    assert (mapped(after, unread) == plain).mean() > 0.99
    after.use_weights("s", 6, 7, learnt.weights)


def test_a_map_of_before_is_drawn_anew_wherever_it_may_differ(start: Started, image, info_of, read) -> None:
    before, log = start(), AnnotationLog()
    before.open_session("s", "tiny", info_of(image))
    before.change_annotations("s", log.add(Annotation("a", "point", ((40.5, 40.5),), 2)))
    held = mapped(before, read)
    before.change_annotations("s", log.remove("a"))
    expected = mapped(before, read)
    assert (held != expected).any()
    np.testing.assert_array_equal(mapped(start(), unread, since=1, onto=held), expected)


def test_a_session_begun_anew_or_closed_is_not_there_again(start: Started, image, info_of) -> None:
    client = start()
    client.open_session("s", "tiny", info_of(image))
    client.set_annotations("s", (), 9)
    client.open_session("s", "tiny", replace(info_of(image), name="another"))
    client.open_session("t", "tiny", info_of(image))
    client.close_session("t")
    after = start()
    assert after.open_session("s", "tiny", replace(info_of(image), name="another")).revision == 0
    with pytest.raises(NotFound):
        after.set_annotations("t", (), 1)


def test_pixels_that_are_lost_or_damaged_are_asked_for_again(start: Started, image, info_of, read, tmp_path) -> None:
    before = start()
    before.open_session("s", "tiny", info_of(image))
    expected = mapped(before, read)
    (file,) = tmp_path.rglob("*.npy")
    file.unlink()
    np.testing.assert_array_equal(mapped(start(), read), expected)
    (file,) = tmp_path.rglob("*.npy")
    damaged = bytearray(file.read_bytes())
    damaged[-1] ^= 1
    file.write_bytes(damaged)
    after = start()
    with pytest.raises(Exception, match="does not hold"):
        mapped(after, unread)
    np.testing.assert_array_equal(mapped(after, read), expected)


def test_weights_that_are_lost_end_the_session_so_that_the_client_brings_it_anew(
    start: Started, image, info_of, read, tmp_path: Path
) -> None:
    before = start()
    before.open_session("s", "tiny", info_of(image))
    before.change_annotations("s", marks(AnnotationLog()))
    list(before.learn("s", 1, 2, read, QUICK))
    for file in (tmp_path / "state" / "sessions").rglob("*.safetensors"):
        file.write_bytes(b"torn")
    after = start()
    with pytest.raises(NotFound):
        after.set_annotations("s", (), 3)
    assert after.open_session("s", "tiny", info_of(image)).revision == 0


def test_pixels_that_no_session_has_are_removed_at_the_start(start: Started, image, info_of, read, tmp_path) -> None:
    client = start()
    client.open_session("s", "tiny", info_of(image))
    mapped(client, read)
    (file,) = tmp_path.rglob("*.npy")
    orphan = file.with_name("f" * 64 + ".npy")
    orphan.write_bytes(file.read_bytes())
    start()
    assert file.exists()
    assert not orphan.exists()


@contextmanager
def no_room(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 0}))
        patched.setattr(
            "terrafine.server.journal.session.SessionJournal._append",
            lambda *_: (_ for _ in ()).throw(OSError("no room")),
        )
        yield


def test_a_full_disk_stops_no_work_and_leaves_no_half_truth(start: Started, image, info_of, read, monkeypatch) -> None:
    before, log = start(), AnnotationLog()
    before.open_session("s", "tiny", info_of(image))
    with no_room(monkeypatch):
        before.change_annotations("s", marks(log))
        assert (mapped(before, read) != 77).all()
    with pytest.raises(NotFound):
        start().change_annotations("s", log.remove("1"))


def test_a_session_of_a_client_that_is_let_in_no_more_is_forgotten(zoo, image, info_of, tmp_path) -> None:
    dispatcher = Dispatcher(zoo, StateFolder(tmp_path / "state"))
    for client in ("alice", "bob"):
        list(dispatcher.handle(m.OpenSession("s", "tiny", info_of(image)), client=client))
    dispatcher.sessions.close_client("alice")
    dispatcher.close()
    assert [journal.state.client for journal in StateFolder(tmp_path / "state").look()] == ["bob"]
