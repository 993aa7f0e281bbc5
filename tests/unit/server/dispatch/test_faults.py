"""Several clients at one dispatcher, and what goes wrong in one request: the next one works."""

from __future__ import annotations

import numpy as np
import pytest
from shapely.errors import GEOSException

from terrafine.server.engine import sessions
from terrafine.shared import messages as m
from terrafine.shared.annotation import Delta
from terrafine.shared.errors import NotFound, OutOfMemory
from terrafine.shared.geo import Window
from terrafine.tests.unit.server.dispatch.dispatching import BLOCKS, MARK, ask, block, offer


@pytest.mark.parametrize(
    "message",
    [
        m.Predict("s", Window(0, 0, 9, 9)),
        m.ChangeAnnotations("s", Delta(12, 13)),
        m.SetAnnotations("s", (), 13),
        m.OfferPixels("s", (), ()),
    ],
)
def test_the_session_of_one_client_is_not_found_by_another(opened, message: m.Message) -> None:
    assert ask(opened, message, client="another").code == NotFound.code


def test_two_clients_may_use_the_same_name_and_neither_meets_the_others_marks(opened, image, info_of) -> None:
    ask(opened, m.SetAnnotations("s", (MARK,), 12))
    assert ask(opened, m.OpenSession("s", "tiny", info_of(image)), client="another").revision == 0
    ask(opened, m.CloseSession("s"), client="another")
    assert ask(opened, m.OpenSession("s", "tiny", info_of(image))).revision == 12


def test_an_offered_digest_does_not_tell_what_another_client_sent(opened, image, info_of) -> None:
    ask(opened, m.OpenSession("t", "tiny", info_of(image)), client="another")
    assert ask(opened, offer("t", image), client="another") == m.MissingPixels(BLOCKS)


def test_what_one_client_replaces_drops_nothing_of_another_one(opened, image, info_of) -> None:
    ask(opened, m.Predict("s", Window(0, 0, 9, 9)))
    kept = len(opened.sessions.caches.features)
    ask(opened, m.OpenSession("s", "tiny", info_of(image)), client="another")
    for pixels in (image, np.zeros_like(image)):
        ask(opened, m.PutPixels("s", block(pixels, BLOCKS[0])), client="another")
    assert len(opened.sessions.caches.features) == kept


def test_no_client_makes_room_at_the_cost_of_another(dispatcher, image, info_of, monkeypatch) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 1)
    ask(dispatcher, m.OpenSession("s", "tiny", info_of(image)))
    for name in ("a", "b"):
        ask(dispatcher, m.OpenSession(name, "tiny", info_of(image)), client="another")
    assert isinstance(ask(dispatcher, m.Predict("s", Window(0, 0, 9, 9))), m.MissingPixels)


@pytest.mark.parametrize("times", [1, 2])
def test_work_that_runs_out_of_memory_is_tried_once_more_without_caches(opened, monkeypatch, times: int) -> None:
    ask(opened, m.Predict("s", Window(0, 0, 9, 9)))
    predictor, errors = opened.zoo.predictor("tiny"), [MemoryError()] * times
    kept, halves = len(opened.sessions.caches.features), predictor.halves
    monkeypatch.setattr(predictor, "halves", lambda *tiles: raise_one(errors) or halves(*tiles))
    last = ask(opened, m.Predict("s", Window(500, 0, 9, 9)))
    assert getattr(last, "code", "done") == ("done" if times == 1 else OutOfMemory.code)
    assert len(opened.sessions.caches.features) < kept + 2


def raise_one(errors: list[BaseException]) -> None:
    if errors:
        raise errors.pop()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemory.code),
        (MemoryError(), OutOfMemory.code),
        (RuntimeError("expected 3 channels"), "internal"),
        (ValueError("odd"), "internal"),
        (AssertionError("a network's own check"), "internal"),
        (EOFError("cut off"), "internal"),
        (ImportError("a backbone that is not installed"), "internal"),
        (GEOSException("a stroke that crosses itself"), "internal"),
    ],
)
def test_foreign_errors_become_failed_and_the_next_request_works(opened, monkeypatch, error, code: str) -> None:
    def fail(*_arguments):
        raise error

    predictor = opened.zoo.predictor("tiny")
    with monkeypatch.context() as patched:
        patched.setattr(predictor, "halves", fail)
        assert ask(opened, m.Predict("s", Window(0, 0, 9, 9))).code == code
    assert isinstance(ask(opened, m.Predict("s", Window(0, 0, 9, 9))), m.Done)


def test_pixels_that_were_damaged_on_the_disk_fail_their_request_alone_and_are_asked_for_again(
    dispatcher, image, info_of, monkeypatch, tmp_path
) -> None:
    dispatcher.sessions.contents.memory_bytes = 0  # all goes to the disk
    ask(dispatcher, m.OpenSession("s", "tiny", info_of(image)))
    ask(dispatcher, m.PutPixels("s", block(image, Window(0, 0, 512, 150))))
    (path,) = tmp_path.rglob("*.npy")
    path.write_bytes(path.read_bytes()[:-100])
    assert ask(dispatcher, m.Predict("s", Window(0, 0, 9, 9))).code == "internal"
    assert ask(dispatcher, m.Predict("s", Window(0, 0, 9, 9))) == m.MissingPixels(BLOCKS[:1])
    ask(dispatcher, m.PutPixels("s", block(image, Window(0, 0, 512, 150))))
    assert isinstance(ask(dispatcher, m.Predict("s", Window(0, 0, 9, 9))), m.Done)
