"""Clicks of several clients whose tiles are made in one batch: a real engine, a tiny network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from terrafine.models.infer import Predictor
from terrafine.models.registry import build
from terrafine.server.dispatch import Dispatcher
from terrafine.server.process.turns import Turns
from terrafine.shared import messages as m
from terrafine.shared import wire
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.geo import Window, slices
from terrafine.tests.unit.server.dispatch.dispatching import OneModel, ask, block

SIDE = 100
WHOLE = Window(0, 0, SIDE, SIDE)  # four tiles
CLIENTS = ("alice", "bob")
CLICK = m.Predict("s", Window(0, 0, 40, 40))  # one of them
MARK = Annotation("a", "point", ((20.5, 30.5),), 2)


@pytest.fixture
def predictor(spec) -> Predictor:
    torch.manual_seed(3)
    network = build(spec)
    with torch.no_grad():  # as it is built, it answers one class everywhere
        network.head.weight.mul_(100)
    predictor = Predictor(spec, network)
    vars(predictor)["batch"] = 4
    return predictor


@pytest.fixture
def batches(predictor, monkeypatch) -> list[int]:
    """How many tiles the network looked at at once, each time."""
    seen, look = [], predictor.features

    def watched(images):
        seen.append(len(images))
        return look(images)

    monkeypatch.setattr(predictor, "features", watched)
    return seen


@pytest.fixture
def dispatcher(predictor, noise, info_of) -> Dispatcher:
    """Both clients have a session of the same name, of other pixels, with a mark."""
    dispatcher = Dispatcher(OneModel(predictor))
    for seed, client in enumerate(CLIENTS):
        image = noise(SIDE, SIDE, seed)
        ask(dispatcher, m.OpenSession("s", predictor.spec.name, info_of(image)), client)
        ask(dispatcher, m.PutPixels("s", block(image, WHOLE)), client)
        ask(dispatcher, m.ChangeAnnotations("s", Delta(0, 1, (MARK,))), client)
    return dispatcher


def begun(dispatcher: Dispatcher, requests: Sequence[m.Message]) -> Turns:
    """Job i is client i's, and has told of its progress once."""
    turns = Turns(dispatcher)
    for job, (client, request) in enumerate(zip(CLIENTS, requests)):
        turns.begin(job, wire.pack(request, str(job)), client, 0.0)
        wire.unpack(turns.advance(job).frames)
    return turns


def finished(turns: Turns, job: int) -> list[m.Message]:
    replies, is_last = [], False
    while not is_last:
        answer = turns.advance(job)
        replies.append(wire.unpack(answer.frames)[1])
        is_last = answer.last
    return replies


def drawn(replies: Sequence[m.Message]) -> np.ndarray:
    assert isinstance(replies[-1], m.Done)
    classes = np.full(WHOLE.shape, 99, np.uint8)
    for reply in replies:
        if isinstance(reply, m.PatchReady):
            classes[slices(reply.patch.window, WHOLE)] = reply.patch.array[0]
    return classes


def alone(dispatcher: Dispatcher, client: str, request: m.Message) -> np.ndarray:
    dispatcher.sessions.caches.clear()
    return drawn(list(dispatcher.handle(request, client)))


def test_two_clients_clicks_share_a_batch_and_get_the_maps_of_each_alone(dispatcher, batches) -> None:
    turns = begun(dispatcher, [CLICK, CLICK])
    maps = [drawn(finished(turns, job)) for job in range(2)]
    assert batches == [2]
    for client, found in zip(CLIENTS, maps):
        np.testing.assert_array_equal(found, alone(dispatcher, client, CLICK))
    assert not np.array_equal(*maps)


def test_the_room_that_one_leaves_is_filled_and_no_more(dispatcher, batches) -> None:
    turns = begun(dispatcher, [m.Predict("s", Window(0, 0, 90, 40)), m.Predict("s", WHOLE)])
    maps = [drawn(finished(turns, job)) for job in range(2)]
    assert batches == [4, 2]
    np.testing.assert_array_equal(maps[1], alone(dispatcher, "bob", m.Predict("s", WHOLE)))


def test_cancelling_one_leaves_the_other(dispatcher) -> None:
    turns = begun(dispatcher, [CLICK, CLICK])
    turns.stop(1)
    found = drawn(finished(turns, 0))
    assert finished(turns, 1)[-1].code == "cancelled"
    np.testing.assert_array_equal(found, alone(dispatcher, "alice", CLICK))


def test_an_error_in_ones_tile_is_told_to_that_one_alone(dispatcher, monkeypatch) -> None:
    turns = begun(dispatcher, [CLICK, CLICK])
    with monkeypatch.context() as broken:
        broken.setattr(dispatcher.sessions.find("bob", "s").session.source, "read", unreadable)
        found = drawn(finished(turns, 0))
        assert finished(turns, 1)[-1].code == "internal"
    np.testing.assert_array_equal(found, alone(dispatcher, "alice", CLICK))


def unreadable(_window: Window) -> None:
    raise RuntimeError("a disk")


def test_a_click_takes_no_background_work_along(dispatcher, batches) -> None:
    turns = begun(dispatcher, [CLICK, m.Predict("s", Window(0, 0, 5000, 5000))])
    finished(turns, 0)
    assert batches == [1]
    finished(turns, 1)
    assert sum(batches) == 5


def test_what_is_ready_are_the_patches_of_a_batch_that_is_made(dispatcher) -> None:
    turns = begun(dispatcher, [m.Predict("s", WHOLE), m.Predict("s", Window(0, 0, 5000, 5000))])
    kinds, ready = [], []
    while m.Done not in kinds:
        ready.append(turns.is_ready(0))
        kinds.append(type(wire.unpack(turns.advance(0).frames)[1]))
    assert kinds == [m.PatchReady] * 4 + [m.Progress, m.Done]  # four tiles are one batch
    assert ready == [False] + [True] * 5
    assert not turns.is_ready(0)
    assert not turns.is_ready(1)


def test_a_map_that_is_made_already_is_not_ready_at_once(dispatcher) -> None:
    list(dispatcher.handle(m.Predict("s", WHOLE), "alice"))
    turns = begun(dispatcher, [CLICK])
    assert not turns.is_ready(0)


def test_a_click_goes_on_by_itself_while_nobody_else_has_begun(dispatcher) -> None:
    turns = begun(dispatcher, [CLICK])
    assert turns.is_alone(0)
    turns.begin(1, wire.pack(m.ListModels(), "b"), "bob", 0.0)
    assert not turns.is_alone(0)
    turns.forget(1)
    assert turns.is_alone(0)
    finished(turns, 0)
    assert not turns.is_alone(0)


def test_background_work_waits_for_each_of_its_turns(dispatcher) -> None:
    assert not begun(dispatcher, [m.Predict("s", Window(0, 0, 5000, 5000))]).is_alone(0)
