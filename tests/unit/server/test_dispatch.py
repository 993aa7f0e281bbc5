from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from shapely.errors import GEOSException

from terrafine.server import dispatch, pixels
from terrafine.server.dispatch import Dispatcher
from terrafine.shared import messages as m
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.client import Client
from terrafine.shared.errors import NotFound, OutOfMemory, UnusableModel
from terrafine.shared.geo import Grid, Window, slices
from terrafine.shared.patch import Patch
from terrafine.shared.transport import LocalTransport

MARK = Annotation("a", "point", ((60.5, 70.5),), 2)


class OneModel:
    """A zoo that holds one model."""

    device = "cpu"

    def __init__(self, predictor) -> None:
        self._predictor = predictor

    def specs(self):
        return (self._predictor.spec,)

    def predictor(self, name: str):
        if name != self._predictor.spec.name:
            raise NotFound(f"There is no model '{name}'.")
        return self._predictor


@pytest.fixture
def image(noise):
    return noise(150, 600)


@pytest.fixture
def dispatcher(make_session, image):
    dispatcher = Dispatcher(OneModel(make_session(image).predictor))
    yield dispatcher
    dispatcher.close()


@pytest.fixture
def opened(dispatcher, image, info_of):
    """The dispatcher with a session "s" whose pixels are all there."""
    ask(dispatcher, m.OpenSession("s", "tiny", info_of(image)))
    for window in (Window(0, 0, 512, 150), Window(512, 0, 88, 150)):
        ask(dispatcher, m.PutPixels("s", block(image, window)))
    return dispatcher


def block(image: np.ndarray, window: Window) -> Patch:
    rows, cols = slices(window, Window(0, 0, image.shape[2], image.shape[1]))
    return Patch(window, image[:, rows, cols], np.ones(window.shape, bool))


def ask(dispatcher: Dispatcher, message: m.Message) -> m.Message:
    """The last reply to a message."""
    *_, last = dispatcher.handle(message)
    return last


def test_the_client_gets_a_map_through_every_layer_but_the_sockets(dispatcher, image, info_of) -> None:
    client, info = Client(LocalTransport(dispatcher.handle)), info_of(image)
    assert [spec.name for spec in client.models()] == ["tiny"]
    client.open_session("s", "tiny", info)
    result = np.zeros(info.grid.window.shape, np.uint8)
    for item in client.predict("s", info.grid.window, lambda window: block(image, window)):
        if isinstance(item, Patch):
            result[slices(item.window, info.grid.window)] = item.array[0]
    np.testing.assert_array_equal(result, image.argmax(axis=0))


def test_a_prediction_without_pixels_names_the_missing_blocks(dispatcher, image, info_of) -> None:
    ask(dispatcher, m.OpenSession("s", "tiny", info_of(image)))
    assert ask(dispatcher, m.Predict("s", Window(0, 0, 9, 9))) == m.MissingPixels((Window(0, 0, 512, 150),))


def test_every_patch_carries_the_revision_of_its_marks(opened) -> None:
    ask(opened, m.SetAnnotations("s", (MARK,), 12))
    replies = list(opened.handle(m.Predict("s", Window(0, 0, 100, 100))))
    assert {reply.patch.revision for reply in replies if isinstance(reply, m.PatchReady)} == {12}
    assert replies[-1].revision == 12


def test_opening_a_session_again_resumes_it(opened, image, info_of) -> None:
    ask(opened, m.SetAnnotations("s", (MARK,), 12))
    assert ask(opened, m.OpenSession("s", "tiny", info_of(image))).revision == 12
    assert isinstance(ask(opened, m.Predict("s", Window(0, 0, 9, 9))), m.Done)


def test_opening_it_for_another_raster_begins_anew(opened, noise, info_of) -> None:
    ask(opened, m.SetAnnotations("s", (MARK,), 12))
    assert ask(opened, m.OpenSession("s", "tiny", info_of(noise(40, 40)))).revision == 0
    assert isinstance(ask(opened, m.Predict("s", Window(0, 0, 9, 9))), m.MissingPixels)


def test_pixels_that_are_sent_again_replace_what_was_made_of_the_old_ones(opened, image) -> None:
    ask(opened, m.Predict("s", Window(0, 0, 9, 9)))
    darker = np.zeros_like(image)
    darker[1] = 3
    ask(opened, m.PutPixels("s", block(darker, Window(0, 0, 512, 150))))
    patches = [r.patch for r in opened.handle(m.Predict("s", Window(0, 0, 9, 9))) if isinstance(r, m.PatchReady)]
    assert (patches[0].array == 1).all()


def test_a_delta_that_does_not_fit_is_a_revision_mismatch(opened) -> None:
    assert ask(opened, m.ChangeAnnotations("s", Delta(3, 4, (MARK,)))).code == "revision_mismatch"


def test_a_change_says_what_it_can_change(opened) -> None:
    reply = ask(opened, m.ChangeAnnotations("s", Delta(0, 1, (MARK,))))
    assert (reply.revision, reply.changed) == (1, Window(0, 48, 112, 64))


@pytest.mark.parametrize(
    "message",
    [
        m.Predict("nobody", Window(0, 0, 9, 9)),
        m.ChangeAnnotations("nobody", Delta(0, 1)),
        m.SetAnnotations("nobody", (), 1),
    ],
)
def test_a_session_that_is_not_open_is_not_found(dispatcher, message: m.Message) -> None:
    assert ask(dispatcher, message).code == NotFound.code


def test_an_unknown_model_is_not_found(dispatcher, image, info_of) -> None:
    assert ask(dispatcher, m.OpenSession("s", "none", info_of(image))).code == NotFound.code


def test_a_closed_session_is_forgotten(opened) -> None:
    assert ask(opened, m.CloseSession("s")) == m.SessionClosed("s")
    assert ask(opened, m.Predict("s", Window(0, 0, 9, 9))).code == NotFound.code


def test_the_session_used_longest_ago_makes_room(dispatcher, image, info_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "MAX_SESSIONS", 2)
    for name in ("a", "b", "a", "c"):
        ask(dispatcher, m.OpenSession(name, "tiny", info_of(image)))
    kept = [name for name in "abc" if not isinstance(ask(dispatcher, m.Predict(name, Window(0, 0, 9, 9))), m.Failed)]
    assert kept == ["a", "c"]


def test_a_raster_with_too_few_bands_for_the_model_is_refused(dispatcher, image, info_of) -> None:
    info = replace(info_of(image), bands=(1, 2), ranges=((0.0, 1.0), (0.0, 1.0)))
    assert ask(dispatcher, m.OpenSession("s", "tiny", info)).code == UnusableModel.code


def test_a_raster_too_large_to_plan_for_is_refused(dispatcher, image, info_of) -> None:
    info = replace(info_of(image), grid=Grid(1 << 19, 1 << 18))
    assert ask(dispatcher, m.OpenSession("s", "tiny", info)).code == "too_large"


def test_a_reply_is_no_request(dispatcher) -> None:
    assert ask(dispatcher, m.Pong(True)).code == "bad_request"


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
        patched.setattr(predictor, "logits", fail)
        assert ask(opened, m.Predict("s", Window(0, 0, 9, 9))).code == code
    assert isinstance(ask(opened, m.Predict("s", Window(0, 0, 9, 9))), m.Done)


def test_pixels_that_were_damaged_on_the_disk_fail_their_request_alone(dispatcher, image, info_of, monkeypatch) -> None:
    monkeypatch.setattr(pixels.BlockStore.__init__, "__defaults__", (0,))  # bytes of memory: all goes to the disk
    ask(dispatcher, m.OpenSession("s", "tiny", info_of(image)))
    ask(dispatcher, m.PutPixels("s", block(image, Window(0, 0, 512, 150))))
    (path,) = dispatcher._sessions["s"].store._on_disk.values()
    path.write_bytes(path.read_bytes()[:-100])
    assert ask(dispatcher, m.Predict("s", Window(0, 0, 9, 9))).code == "internal"
    ask(dispatcher, m.PutPixels("s", block(image, Window(0, 0, 512, 150))))
    assert isinstance(ask(dispatcher, m.Predict("s", Window(0, 0, 9, 9))), m.Done)


def test_a_cancelled_prediction_ends_with_the_error_cancelled(opened) -> None:
    *_, last = opened.handle(m.Predict("s", Window(0, 0, 9, 9)), lambda: True)
    assert last.code == "cancelled"
