"""The client's requests about learning: what is asked, what comes back, and that pixels are sent on the way."""

from __future__ import annotations

from collections import deque
from typing import Iterator, Sequence

import numpy as np
import pytest

from terrafine.shared import messages as m
from terrafine.shared.client import Client
from terrafine.shared.errors import BadRequest, RevisionMismatch
from terrafine.shared.geo import Grid, Window
from terrafine.shared.learning import LearnOptions, RankedPatch, RankOptions
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import LandCover
from terrafine.shared.transport import LocalTransport

BLOCK = Window(0, 0, 512, 512)
CLASSES = (LandCover(0, "water", "#0000ff"), LandCover(1, "land", "#00ff00"))
LEARNT = m.Learnt(4, "w1", 0.5, 0.9, BLOCK)


class Server:
    """Answers the n-th request with the n-th list of replies."""

    def __init__(self, *replies: Sequence[m.Message]) -> None:
        self.replies = deque(replies)
        self.heard: list[m.Message] = []

    def handle(self, message: m.Message) -> Iterator[m.Message]:
        self.heard.append(message)
        yield from self.replies.popleft()


def talk(*replies: Sequence[m.Message]) -> tuple[Client, Server]:
    server = Server(*replies)
    return Client(LocalTransport(server.handle)), server


def read_pixels(window: Window) -> Patch:
    return Patch(window, np.zeros((1, *window.shape), np.uint8), np.ones(window.shape, bool))


LACKING = [[m.MissingPixels((BLOCK,))], [m.MissingPixels((BLOCK,))], [m.PixelsStored(BLOCK)]]


@pytest.mark.parametrize(
    ("ask", "request_", "replies"),
    [
        (
            lambda client: client.learn("s", 3, 4, read_pixels, LearnOptions("head")),
            m.Learn("s", 3, 4, LearnOptions("head")),
            [m.Progress(1, 1, "learn"), LEARNT],
        ),
        (
            lambda client: client.rank_patches("s", BLOCK, read_pixels),
            m.RankPatches("s", BLOCK, RankOptions()),
            [m.PatchesRanked(3, (RankedPatch(BLOCK, 0.5),))],
        ),
        (
            lambda client: client.advise("s", 2, read_pixels),
            m.Advise("s", 2),
            [m.Advice("learn", "Large and unsure.", 4000, 0.4)],
        ),
    ],
    ids=["learn", "rank", "advise"],
)
def test_missing_pixels_are_sent_and_the_request_is_made_again(ask, request_, replies):
    client, server = talk(*LACKING, replies)
    assert list(ask(client)) == [m.Progress(1, 1, "upload"), *replies]
    assert [type(message) for message in server.heard] == [type(request_), m.OfferPixels, m.PutPixels, type(request_)]
    assert server.heard[-1] == request_


def test_a_measure_of_uncertainty_yields_patches():
    patch = Patch(Window(0, 0, 2, 1), np.array([[[7, 254]]], np.uint8), np.ones((1, 2), bool))
    client, server = talk([m.PatchReady(patch), m.Progress(1, 1), m.Done(0)])
    found = list(client.measure_uncertainty("s", BLOCK, read_pixels, "odin", 4))
    assert np.array_equal(found[0].array, patch.array)
    assert found[1:] == [m.Progress(1, 1), m.Done(0)]
    assert server.heard == [m.MeasureUncertainty("s", BLOCK, "odin", 4)]


def test_weights_legends_and_models_are_asked_for_once():
    client, server = talk([m.MapChanged(5, BLOCK)], [m.MapChanged(6, BLOCK)])
    assert client.use_weights("s", 4, 5, "w1") == m.MapChanged(5, BLOCK)
    assert client.set_legend("s", 5, 6, CLASSES, (0, 0)) == m.MapChanged(6, BLOCK)
    assert server.heard == [m.UseWeights("s", 4, 5, "w1"), m.SetLegend("s", 5, 6, CLASSES, (0, 0))]


def test_a_revision_that_the_server_does_not_have_is_told():
    client, _ = talk([m.Failed("revision_mismatch", "No.")])
    with pytest.raises(RevisionMismatch):
        list(client.learn("s", 3, 4, read_pixels))


def test_a_reply_of_another_kind_is_no_answer():
    client, _ = talk([m.Done(1)])
    with pytest.raises(BadRequest, match="'done'"):
        list(client.learn("s", 3, 4, read_pixels))


def test_a_session_can_begin_with_a_legend_of_its_own():
    raster = RasterInfo(Grid(512, 512), "uint8", (1,), ((0.0, 255.0),))
    client, server = talk([m.SessionOpened("s", 0)])
    client.open_session("s", "tiny", raster, CLASSES)
    assert server.heard == [m.OpenSession("s", "tiny", raster, CLASSES)]
