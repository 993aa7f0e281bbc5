"""Requests and their replies: sessions, pixels, marks and maps."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from terrafine.server.engine import sessions
from terrafine.server.engine.batches import Wanted
from terrafine.server.rasters import contents
from terrafine.shared import messages as m
from terrafine.shared.annotation import Delta
from terrafine.shared.client import Client
from terrafine.shared.errors import NotFound, UnusableModel
from terrafine.shared.geo import Grid, Window, slices
from terrafine.shared.patch import Patch
from terrafine.shared.transport import LocalTransport
from terrafine.tests.unit.server.dispatch.dispatching import BLOCKS, MARK, TOO_MANY, ask, block, offer


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


def test_pixels_that_find_no_room_are_not_asked_for(dispatcher, image, info_of, monkeypatch) -> None:
    ask(dispatcher, m.OpenSession("s", "tiny", info_of(image)))
    monkeypatch.setattr(contents, "OWNER_BYTES", 4 * 600 * 150 - 1)
    assert ask(dispatcher, m.Predict("s", Window(0, 0, 600, 150))).code == "out_of_memory"
    assert isinstance(ask(dispatcher, m.Predict("s", Window(0, 0, 9, 9))), m.MissingPixels)


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


def test_what_one_session_sent_another_one_need_not_send(opened, image, info_of) -> None:
    ask(opened, m.OpenSession("t", "tiny", info_of(image)))
    assert ask(opened, offer("t", image)) == m.MissingPixels(())
    whole = m.Predict("t", Window(0, 0, 600, 150))
    maps = [r.patch.array for r in opened.handle(whole) if isinstance(r, m.PatchReady)]
    expected = [r.patch.array for r in opened.handle(replace(whole, session="s")) if isinstance(r, m.PatchReady)]
    assert all(map(np.array_equal, maps, expected))
    ask(opened, m.CloseSession("s"))
    assert isinstance(ask(opened, whole), m.Done)


def test_nothing_is_kept_of_pixels_that_no_session_has_any_more(opened, image, info_of) -> None:
    ask(opened, m.CloseSession("s"))
    ask(opened, m.OpenSession("t", "tiny", info_of(image)))
    assert ask(opened, offer("t", image)) == m.MissingPixels(BLOCKS)


def test_an_offer_that_replaces_pixels_drops_what_was_made_of_the_old_ones(opened, image, info_of) -> None:
    darker = np.zeros_like(image)
    darker[1] = 3
    ask(opened, m.OpenSession("t", "tiny", info_of(image)))
    ask(opened, m.PutPixels("t", block(darker, BLOCKS[0])))
    ask(opened, m.Predict("s", Window(0, 0, 9, 9)))
    assert ask(opened, offer("s", darker)) == m.MissingPixels(BLOCKS[1:])
    patches = [r.patch for r in opened.handle(m.Predict("s", Window(0, 0, 9, 9))) if isinstance(r, m.PatchReady)]
    assert (patches[0].array == 1).all()


def test_an_offer_of_what_is_there_already_keeps_what_was_made_of_it(opened, image) -> None:
    ask(opened, m.Predict("s", Window(0, 0, 9, 9)))
    kept = len(opened.sessions.caches.features)
    assert kept
    ask(opened, offer("s", image))
    ask(opened, m.PutPixels("s", block(image, BLOCKS[0])))
    assert len(opened.sessions.caches.features) == kept


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (m.OfferPixels("nobody", (), ()), "not_found"),
        (m.OfferPixels("s", (Window(0, 0, 512, 151),), ("0" * 64,)), "bad_request"),
        (m.OfferPixels("s", (Window(0, 0, 2**52, 2**52),), ("0" * 64,)), "bad_request"),
        (
            m.OfferPixels("s", BLOCKS[:1] * TOO_MANY, ("0" * 64,) * TOO_MANY),
            "too_large",
        ),
    ],
    ids=["no session", "no block", "endless", "too many"],
)
def test_an_offer_that_cannot_be_is_refused(opened, message: m.OfferPixels, code: str) -> None:
    assert ask(opened, message).code == code


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


def test_a_session_that_made_room_goes_on_where_it_was(opened, image, info_of, monkeypatch) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 1)
    ask(opened, m.SetAnnotations("s", (MARK,), 12))
    ask(opened, m.OpenSession("t", "tiny", info_of(image)))
    assert len(opened.sessions) == 1
    assert ask(opened, m.Predict("s", Window(0, 0, 9, 9))).revision == 12
    assert len(opened.sessions) == 1


def test_a_closed_session_is_forgotten(opened) -> None:
    assert ask(opened, m.CloseSession("s")) == m.SessionClosed("s")
    assert ask(opened, m.Predict("s", Window(0, 0, 9, 9))).code == NotFound.code


def test_the_session_used_longest_ago_makes_room(dispatcher, image, info_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_KEPT", 2)
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


def test_every_reply_says_how_long_what_came_before_it_took(opened, image, info_of) -> None:
    requests = [
        m.ListModels(),
        m.OpenSession("s", "tiny", info_of(image)),
        m.SetAnnotations("s", (MARK,), 12),
        offer("s", image),
        m.Predict("s", Window(0, 0, 90, 90)),
        m.Predict("none", Window(0, 0, 9, 9)),
        m.CloseSession("s"),
    ]
    for request in requests:
        assert all(reply.seconds["total"] > 0 for reply in opened.handle(request))


def test_the_seconds_of_the_patches_add_up_to_those_of_the_whole_prediction(opened) -> None:
    *streamed, done = opened.handle(m.Predict("s", Window(0, 0, 600, 150)))
    for stage in ("read", "features", "decode", "blend", "total"):
        added = sum(reply.seconds.get(stage, 0.0) for reply in streamed)
        assert 0 < added <= done.seconds[stage] + 1e-4
    assert sum(seconds for stage, seconds in done.seconds.items() if stage != "total") <= done.seconds["total"]


def test_what_a_request_waited_for_its_turn_is_in_its_first_reply(opened) -> None:
    arrived = time.perf_counter() - 5.0
    steps = opened.steps(m.Predict("s", Window(0, 0, 90, 90)), arrived=arrived)
    first, *others = (step for step in steps if not isinstance(step, Wanted))
    assert 5.0 <= first.seconds["queued"] <= first.seconds["total"]
    assert [reply for reply in others if "queued" in reply.seconds] == others[-1:]  # Done tells of all


def test_a_cancelled_prediction_ends_with_the_error_cancelled(opened) -> None:
    *_, last = opened.steps(m.Predict("s", Window(0, 0, 9, 9)), lambda: True)
    assert last.code == "cancelled"
