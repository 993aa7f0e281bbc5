"""Two engines on one state folder, as on the nodes of a cluster: the second goes on with what the first began."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from terrafine.server.dispatch import Dispatcher
from terrafine.server.journal.folder import StateFolder
from terrafine.server.zoo import Zoo
from terrafine.shared import messages as m
from terrafine.shared.annotation import Annotation, AnnotationLog, Delta
from terrafine.shared.client import Client
from terrafine.shared.errors import NotFound
from terrafine.shared.geo import Window, slices
from terrafine.shared.learning import LearnOptions
from terrafine.shared.patch import Patch, digest
from terrafine.shared.transport import LocalTransport

SIZE = Window(0, 0, 130, 100)
QUICK = LearnOptions("decoder", steps=2, rate=0.3)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def engines(zoo: Zoo, state: Path):
    dispatchers = [Dispatcher(zoo, StateFolder(state, is_shared=True)) for _ in range(2)]
    yield dispatchers
    for dispatcher in dispatchers:
        dispatcher.close()


@pytest.fixture
def clients(engines: list[Dispatcher]) -> list[Client]:
    return [Client(LocalTransport(engine.handle)) for engine in engines]


@pytest.fixture
def read(noise):
    image = noise(*SIZE.shape)
    return lambda window: Patch(window, image[(slice(None), *slices(window, SIZE))], np.ones(window.shape, bool))


def unread(_window: Window) -> Patch:
    raise AssertionError("the server asks for pixels that it was sent")


def mapped(client: Client, read, session: str = "s") -> np.ndarray:
    out = np.full(SIZE.shape, 77, np.uint8)
    for item in client.predict(session, SIZE, read):
        if isinstance(item, Patch):
            out[slices(item.window, SIZE)] = item.array[0]
    return out


def marked(client: Client, log: AnnotationLog, number: int) -> None:
    client.change_annotations("s", log.add(Annotation(str(number), "point", ((20.5 + 30 * number, 30.5),), number % 3)))


@pytest.fixture
def begun(clients, info_of, noise, read) -> AnnotationLog:
    """A session at the first engine, with marks, pixels and a lesson."""
    log = AnnotationLog()
    clients[0].open_session("s", "tiny", info_of(noise(*SIZE.shape)))
    for number in range(2):
        marked(clients[0], log, number)
    list(clients[0].learn("s", log.revision, log.revision + 1, read, QUICK))
    log.apply(Delta(log.revision, log.revision + 1))
    return log


def test_the_session_is_what_it_was_pixels_marks_and_lessons(clients, begun: AnnotationLog, read) -> None:
    before = mapped(clients[0], read)
    np.testing.assert_array_equal(mapped(clients[1], unread), before)
    marked(clients[1], begun, 2)  # raises where the revision is another


def test_what_the_first_still_says_is_not_heard(clients, begun: AnnotationLog, zoo: Zoo, state: Path, read) -> None:
    mapped(clients[1], read)
    stray = AnnotationLog()
    stray.replace(begun.marks, begun.revision)
    marked(clients[0], stray, 5)
    marked(clients[1], begun, 6)
    third = Dispatcher(zoo, StateFolder(state, is_shared=True))
    assert third.sessions.find("", "s").session.log.marks == begun.marks
    third.close()


def offered(engine: Dispatcher, session: str, read) -> tuple[Window, ...]:
    """The blocks that an engine lacks of the raster's only one."""
    (reply,) = engine.handle(m.OfferPixels(session, (SIZE,), (digest(read(SIZE)),)))
    return reply.windows


def test_pixels_that_the_other_was_sent_need_not_be_sent_again(engines, clients, begun, read, info_of, noise) -> None:
    for client in clients:
        client.open_session("t", "tiny", info_of(noise(*SIZE.shape)))
    assert offered(engines[1], "t", read) == ()


def test_pixels_stay_for_the_other_where_one_closes_its_session(engines, clients, begun, read, info_of, noise) -> None:
    clients[1].open_session("t", "tiny", info_of(noise(*SIZE.shape)))
    offered(engines[1], "t", read)
    clients[0].close_session("s")
    assert mapped(clients[1], unread, "t").shape == SIZE.shape
    with pytest.raises(NotFound):
        mapped(clients[1], unread)


def test_a_closed_session_is_closed_for_the_other_engine_too(clients, begun) -> None:
    clients[1].close_session("s")
    with pytest.raises(NotFound):
        marked(clients[1], begun, 7)


def test_only_old_pixels_that_no_session_has_are_swept(clients, begun, state: Path, read) -> None:
    folder = StateFolder(state, is_shared=True)
    (used,) = folder.pixels.glob("*/*")
    unused, new = used.with_name("0" * 64 + ".npy"), used.with_name("1" * 64 + ".npy")
    for file in (unused, new):
        file.write_bytes(b"x")
    for file in (used, unused):
        os.utime(file, (time.time() - 100,) * 2)
    folder.sweep(unused_s=50)
    assert sorted(folder.pixels.glob("*/*")) == sorted([used, new])
