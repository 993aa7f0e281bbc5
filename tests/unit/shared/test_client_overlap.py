"""A large map is made while its pixels are sent: what the client asks, in which order, and when it gives up."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Iterator, Optional, Sequence

import numpy as np
import pytest

from terrafine.shared import wire
from terrafine.shared.client import Client
from terrafine.shared.errors import BadRequest, Cancelled, ConnectionFailed, OutOfMemory, Superseded
from terrafine.shared.geo import Window, blocks
from terrafine.shared.messages import (
    STREAMED,
    UPLOAD_BLOCK_PX,
    Done,
    Message,
    MissingPixels,
    OfferPixels,
    PatchReady,
    Ping,
    PixelsStored,
    Pong,
    Predict,
    Progress,
    PutPixels,
)
from terrafine.shared.patch import Patch, digest

WHOLE = Window(0, 0, 40 * UPLOAD_BLOCK_PX, 1)
BLOCKS = blocks(WHOLE, UPLOAD_BLOCK_PX)
SMALL = Window(0, 0, 16 * UPLOAD_BLOCK_PX, 1)


class BusyServer:
    """A transport to a server that answers pixels while it makes a map, a block in each of its turns.

    knows_after  does it begin before all pixels are there?
    answers      does it answer the pixels that it is sent at once, or only when it is waited for?
    revisions    of the map, a request each; the last for all that follow
    """

    def __init__(self, knows_after: bool = True, answers: bool = True, revisions: Sequence[int] = (0,)) -> None:
        self.knows_after, self.answers, self.revisions = knows_after, answers, deque(revisions)
        self.sent: list[Message] = []
        self.ids: dict[str, Message] = {}
        self.pixels: dict[Window, Patch] = {}
        self.lost: set[Window] = set()
        self.on_the_way = self.most_on_the_way = 0
        self._inbox: deque[list[bytes]] = deque()
        self._map: Optional[tuple[str, Iterator[Message]]] = None

    def send(self, frames: Sequence[bytes]) -> None:
        request_id, message = wire.unpack(frames)
        self.sent.append(message)
        self.ids[request_id] = message
        if isinstance(message, Predict):
            assert self._map is None, "it asks again before it was answered"
            self._map = request_id, self.predict(message)
        elif isinstance(message, Ping):
            self._inbox.append(wire.pack(Pong(busy=True), request_id))
        elif isinstance(message, OfferPixels):
            self._inbox.append(wire.pack(MissingPixels(message.windows), request_id))
        elif isinstance(message, PutPixels):
            self.pixels[message.patch.window] = message.patch
            self.on_the_way += 1
            self.most_on_the_way = max(self.on_the_way, self.most_on_the_way)
            if self.answers:
                self._stored(request_id, message.patch.window)

    def receive(self, timeout_s: float) -> Optional[list[bytes]]:
        if self._inbox:
            return self._inbox.popleft()
        if self._map is not None:
            request_id, replies = self._map
            reply = next(replies)
            self._map = self._map if isinstance(reply, STREAMED) else None
            return wire.pack(reply, request_id)
        if self.on_the_way and timeout_s > 0:
            waiting = [name for name, message in self.ids.items() if isinstance(message, PutPixels)]
            name = waiting[-self.on_the_way]
            self._stored(name, self.ids[name].patch.window)
            return self._inbox.popleft()
        return None

    def close(self) -> None:
        self._inbox.clear()

    def _stored(self, request_id: str, window: Window) -> None:
        self.on_the_way -= 1
        self._inbox.append(wire.pack(PixelsStored(window), request_id))

    def predict(self, request: Predict) -> Iterator[Message]:
        wanted = blocks(request.window, UPLOAD_BLOCK_PX)
        after = request.after if self.knows_after else None
        if after is None and (lacked := self.lacked(wanted)):
            yield MissingPixels(tuple(lacked), {"total": 1.0})
            return
        done, revision = after or 0, self.revisions.popleft() if len(self.revisions) > 1 else self.revisions[0]
        yield Progress(done, len(wanted))
        while done < len(wanted) and not self.lacked([wanted[done]]):
            source = self.pixels[wanted[done]]
            yield PatchReady(Patch(wanted[done], source.array & 1, source.valid, revision))
            done += 1
            yield Progress(done, len(wanted))
        lacked = self.lacked(wanted[done:])
        yield MissingPixels(tuple(lacked), {"total": 1.0}) if lacked else Done(revision, {"total": 0.5, "read": 0.25})

    def lacked(self, wanted: Sequence[Window]) -> list[Window]:
        return [block for block in wanted if block not in self.pixels or block in self.lost]


def read_pixels(window: Window) -> Patch:
    values = (np.arange(window.col, window.col_end) % 251).astype(np.uint8)
    return Patch(window, values[None, None], np.ones(window.shape, bool))


def mapped(server: BusyServer, window: Window = WHOLE) -> list:
    return list(Client(server).predict("s", window, read_pixels))


def asked(server: BusyServer) -> list[Optional[int]]:
    return [message.after for message in server.sent if isinstance(message, Predict)]


def test_a_map_made_while_its_pixels_are_sent_is_the_map_once_and_whole():
    patches = [item for item in mapped(BusyServer()) if isinstance(item, Patch)]
    assert [patch.window for patch in patches] == BLOCKS
    assert all(np.array_equal(patch.array, read_pixels(patch.window).array & 1) for patch in patches)


def test_patches_come_before_the_last_pixels_are_read():
    events = []

    def read(window: Window) -> Patch:
        events.append("read")
        return read_pixels(window)

    for item in Client(BusyServer()).predict("s", WHOLE, read):
        if isinstance(item, Patch):
            events.append("patch")
    assert events.count("read") == events.count("patch") == len(BLOCKS)
    assert events.index("patch") < events.index("read", 33)


def test_the_map_is_asked_for_again_from_the_patches_that_there_are_of_it():
    server = BusyServer()
    mapped(server)
    first, *parts = asked(server)
    assert first is None
    assert parts[0] == 0
    assert parts == sorted(set(parts))
    assert len(parts) <= len(BLOCKS) // 4 + 1


def test_each_block_travels_once():
    server = BusyServer()
    mapped(server)
    assert [message.patch.window for message in server.sent if isinstance(message, PutPixels)] == BLOCKS


def test_a_small_map_is_asked_for_once_all_its_pixels_are_sent():
    server = BusyServer()
    mapped(server, SMALL)
    assert asked(server) == [None, None]
    kinds = [type(message) for message in server.sent]
    assert kinds == [Predict, OfferPixels, *[PutPixels] * 16, Predict]


def test_a_map_whose_pixels_are_there_is_asked_for_once():
    server = BusyServer()
    mapped(server)
    server.sent.clear()
    mapped(server)
    assert asked(server) == [None]
    assert len(server.sent) == 1


def test_progress_tells_of_sending_until_there_is_something_of_the_map():
    told = [(item.stage, item.done) for item in mapped(BusyServer()) if isinstance(item, Progress)]
    stages = [stage for stage, _ in told]
    assert stages == sorted(stages, reverse=True)
    assert [done for stage, done in told if stage == "classify"] == list(range(1, len(BLOCKS) + 1))


def test_the_seconds_of_the_parts_add_up():
    server = BusyServer()
    *_, done = mapped(server)
    parts = len(asked(server)) - 1
    assert done == Done(0, {"total": 0.5 + (parts - 1) * 1.0, "read": 0.25})


def test_a_server_that_does_not_know_of_parts_makes_the_map_at_the_end():
    got = mapped(BusyServer(knows_after=False))
    assert [item.window for item in got if isinstance(item, Patch)] == BLOCKS
    assert isinstance(got[-1], Done)


@pytest.mark.parametrize("knows_after", [True, False])
def test_no_more_than_four_blocks_are_on_the_way_at_once(knows_after: bool):
    server = BusyServer(knows_after, answers=False)
    mapped(server)
    assert server.most_on_the_way == 4


def test_cancelling_amid_stops_the_map_and_the_sending():
    server = BusyServer()
    client = Client(server)
    going = client.predict("s", WHOLE, read_pixels)
    next(item for item in going if isinstance(item, Patch))
    client.cancel()
    before = len(server.sent)
    with pytest.raises(Cancelled):
        next(going)
    stopped = [server.ids[message.request] for message in server.sent[before:]]  # nothing but Cancel
    assert isinstance(stopped[0], Predict)
    assert len(server.pixels) < len(BLOCKS)


def test_a_map_that_is_dropped_amid_is_cancelled_before_the_next_request():
    server = BusyServer()
    client = Client(server)
    going = client.predict("s", WHOLE, read_pixels)
    next(item for item in going if isinstance(item, Patch))
    going.close()
    before = len(server.sent)
    client.ping()
    assert isinstance(server.ids[server.sent[before].request], Predict)
    assert server.sent[-1] == Ping()


def test_pixels_that_cannot_be_read_end_the_map():
    def read(window: Window) -> Patch:
        if window == BLOCKS[30]:
            raise BadRequest("This part of the file is broken.")
        return read_pixels(window)

    client = Client(BusyServer())
    with pytest.raises(BadRequest, match="broken"):
        list(client.predict("s", WHOLE, read))
    assert client.ping() == Pong(busy=True)


def test_a_connection_that_is_lost_amid_ends_the_map_and_what_was_sent_is_known():
    server = BusyServer()

    def cut(window: Window) -> Patch:
        if window == BLOCKS[30]:
            raise ConnectionFailed("The server has gone.")
        return read_pixels(window)

    with pytest.raises(ConnectionFailed):
        list(Client(server).predict("s", WHOLE, cut))
    before = set(server.pixels)
    again = BusyServer()
    again.pixels = dict(server.pixels)
    got = mapped(again)
    assert {message.patch.window for message in again.sent if isinstance(message, PutPixels)} == set(BLOCKS) - before
    assert [item.window for item in got if isinstance(item, Patch)] == BLOCKS


def test_a_server_that_loses_a_block_amid_does_not_keep_the_client_for_ever():
    server = BusyServer()
    server.lost = {BLOCKS[20]}
    with pytest.raises(OutOfMemory):
        mapped(server)
    server.lost = set()
    del server.pixels[BLOCKS[20]]
    assert isinstance(mapped(server)[-1], Done)


def test_parts_of_maps_of_different_marks_are_not_put_together():
    with pytest.raises(Superseded):
        mapped(BusyServer(revisions=(1, 2)))


def test_content_that_the_server_has_does_not_travel():
    class Knowing(BusyServer):
        def send(self, frames: Sequence[bytes]) -> None:
            request_id, message = wire.unpack(frames)
            if isinstance(message, OfferPixels):
                offered = [replace(read_pixels(window), window=window) for window in message.windows]
                assert message.digests == tuple(map(digest, offered))
                self.pixels.update({patch.window: patch for patch in offered})
                self.sent.append(message)
                self._inbox.append(wire.pack(MissingPixels(()), request_id))
            else:
                super().send(frames)

    server = Knowing()
    assert isinstance(mapped(server)[-1], Done)
    assert not any(isinstance(message, PutPixels) for message in server.sent)
