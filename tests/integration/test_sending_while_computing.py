"""A map that is made while its pixels are sent, by a real server, is the map that would have been made at the end."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from terrafine.shared import messages as m
from terrafine.shared import wire
from terrafine.shared.client import Client
from terrafine.shared.errors import Cancelled
from terrafine.shared.geo import Grid, Window, blocks, slices
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.transport import ZmqTransport

INFO = RasterInfo(Grid(20 * 512, 40, gsd_m=0.5), "uint8", (1, 2, 3), ((0.0, 255.0),) * 3)
WHOLE = INFO.grid.window
BLOCKS = blocks(WHOLE, m.UPLOAD_BLOCK_PX)
FIRST = 4  # blocks of the first part of a map

Read = Callable[[Window], Patch]


class Watched(ZmqTransport):
    """Keeps what is sent."""

    def __init__(self, address: str) -> None:
        self.sent: list[m.Message] = []
        super().__init__(address)

    def send(self, frames: Sequence[bytes]) -> None:
        self.sent.append(wire.unpack(frames)[1])
        super().send(frames)


@pytest.fixture(scope="module")
def image(scene: Callable[..., np.ndarray]) -> np.ndarray:
    return scene(*WHOLE.shape)


@pytest.fixture
def read(image: np.ndarray) -> Read:
    return lambda window: Patch(window, image[(slice(None), *slices(window, WHOLE))], np.ones(window.shape, bool))


@pytest.fixture
def watched(address: str) -> Iterator[Watched]:
    transport = Watched(address)
    yield transport
    transport.close()


@pytest.fixture(scope="module")
def at_once(address: str, image: np.ndarray) -> np.ndarray:
    """The map and its uncertainty, uint8 (2, rows, columns), of a session that was sent all pixels before."""
    client, session = Client(ZmqTransport(address)), str(uuid.uuid4())
    client.open_session(session, "tiny", INFO)
    for block in BLOCKS:
        part = image[(slice(None), *slices(block, WHOLE))]
        client.put_pixels(session, Patch(block, part, np.ones(block.shape, bool)))
    made = drawn(client.predict(session, WHOLE, unread, uncertainty="entropy"))
    client.close_session(session)
    client.close()
    return made


def unread(window: Window) -> Patch:
    raise AssertionError(f"{window} was sent already")


def drawn(replies: Iterator) -> np.ndarray:
    out = np.full((2, *WHOLE.shape), 77, np.uint8)
    for item in replies:
        if isinstance(item, Patch):
            out[(slice(None), *slices(item.window, WHOLE))] = item.array
    return out


def opened(transport: ZmqTransport) -> tuple[Client, str]:
    client, session = Client(transport), str(uuid.uuid4())
    client.open_session(session, "tiny", INFO)
    return client, session


def test_the_map_is_the_one_made_at_once_and_was_begun_before(watched: Watched, read: Read, at_once) -> None:
    client, session = opened(watched)
    np.testing.assert_array_equal(drawn(client.predict(session, WHOLE, read, uncertainty="entropy")), at_once)
    first_part = next(i for i, message in enumerate(watched.sent) if getattr(message, "after", None) == 0)
    stored_later = [message for message in watched.sent[first_part:] if isinstance(message, m.PutPixels)]
    assert stored_later
    client.close_session(session)


def test_pixels_are_stored_while_a_map_that_lacks_them_is_made(connect, read: Read, at_once) -> None:
    raw, session = connect(), str(uuid.uuid4())
    raw.asked(m.OpenSession(session, "tiny", INFO))
    for block in BLOCKS[:FIRST]:
        raw.asked(m.PutPixels(session, read(block)))
    raw.ask("map", m.Predict(session, WHOLE, uncertainty=True, after=0))
    replies = [raw.reply()[1], raw.reply()[1]]
    assert [type(reply) for reply in replies] == [m.Progress, m.PatchReady]  # and the rest is yet to be sent
    for number, block in enumerate(BLOCKS[FIRST:]):
        raw.ask(f"put{number}", m.PutPixels(session, read(block)))
    to_store = len(BLOCKS) - FIRST
    while to_store or not isinstance(replies[-1], m.Done):
        name, reply = raw.reply()
        to_store -= isinstance(reply, m.PixelsStored)
        replies += [reply] if name == "map" else []
        if isinstance(reply, m.MissingPixels):
            done = [told.done for told in replies if isinstance(told, m.Progress)][-1]
            raw.ask("map", m.Predict(session, WHOLE, uncertainty=True, after=done))
    made = drawn(reply.patch for reply in replies if isinstance(reply, m.PatchReady))
    np.testing.assert_array_equal(made, at_once)
    raw.asked(m.CloseSession(session))
    raw.close()


def test_cancelled_amid_it_ends_and_what_follows_is_whole(watched: Watched, read: Read, at_once) -> None:
    client, session = opened(watched)
    going = client.predict(session, WHOLE, read)
    next(item for item in going if isinstance(item, Patch))
    client.cancel()
    with pytest.raises(Cancelled):
        next(going)
    np.testing.assert_array_equal(drawn(client.predict(session, WHOLE, read, uncertainty="entropy")), at_once)
    client.close_session(session)


def test_after_a_connection_is_lost_amid_only_the_other_pixels_travel(address, watched, read: Read, at_once) -> None:
    lost, session = opened(ZmqTransport(address))
    next(item for item in lost.predict(session, WHOLE, read) if isinstance(item, Patch))
    lost.close()
    client = Client(watched)
    client.open_session(session, "tiny", INFO)
    np.testing.assert_array_equal(drawn(client.predict(session, WHOLE, read, uncertainty="entropy")), at_once)
    sent_again = [message.patch.window for message in watched.sent if isinstance(message, m.PutPixels)]
    assert not set(sent_again) & set(BLOCKS[:FIRST])
    client.close_session(session)
