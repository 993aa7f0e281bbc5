from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace
from typing import Iterator, Optional, Sequence

import numpy as np
import pytest

from terrafine.shared import wire
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.client import Client
from terrafine.shared.errors import BY_CODE, BadRequest, Cancelled, ConnectionFailed, NotFound, OutOfMemory
from terrafine.shared.geo import Grid, Window, blocks
from terrafine.shared.messages import (
    UPLOAD_BLOCK_PX,
    AnnotationsChanged,
    Cancel,
    ChangeAnnotations,
    CloseSession,
    Done,
    Failed,
    Hello,
    ListModels,
    Message,
    MissingPixels,
    Models,
    OfferPixels,
    OpenSession,
    PatchReady,
    Ping,
    PixelsStored,
    Pong,
    Predict,
    Progress,
    PutPixels,
    SessionClosed,
    SessionOpened,
    SetAnnotations,
    Welcome,
)
from terrafine.shared.patch import Patch, digest
from terrafine.shared.raster import RasterInfo
from terrafine.shared.transport import LocalTransport

RASTER = RasterInfo(Grid(700, 600), "uint8", (1,), ((0.0, 255.0),))
WHOLE = RASTER.grid.window
MARK = Annotation("a", "point", ((1.5, 2.5),), 3)


class TinyServer:
    """One session that classifies a pixel by its last bit, and keeps what it was asked."""

    def __init__(self) -> None:
        self.log = AnnotationLog()
        self.pixels: dict[Window, Patch] = {}
        self.contents: dict[str, Patch] = {}
        self.heard: list[Message] = []
        self.forgetful = False
        self.most_missing = 2

    def handle(self, message: Message) -> Iterator[Message]:
        self.heard.append(message)
        if isinstance(message, Predict):
            yield from self.predict(message)
        elif isinstance(message, OfferPixels):
            yield MissingPixels(tuple(self.offered(message)))
        elif isinstance(message, PutPixels):
            self.contents[digest(message.patch)] = message.patch
            self.pixels[message.patch.window] = message.patch
            yield PixelsStored(message.patch.window)
        elif isinstance(message, ChangeAnnotations):
            self.log.apply(message.delta)
            yield AnnotationsChanged(self.log.revision, Window(0, 0, 1, 1))
        elif isinstance(message, SetAnnotations):
            self.log.replace(message.annotations, message.revision)
            yield AnnotationsChanged(self.log.revision, Window(0, 0, 1, 1))
        elif isinstance(message, OpenSession):
            yield SessionOpened(message.session, self.log.revision)
        else:
            answers = {Hello: Welcome("tiny", "cpu"), ListModels: Models(()), CloseSession: SessionClosed("s")}
            yield answers[type(message)]

    def offered(self, message: OfferPixels) -> Iterator[Window]:
        for window, name in zip(message.windows, message.digests):
            if name in self.contents:
                self.pixels[window] = replace(self.contents[name], window=window)
            else:
                yield window

    def predict(self, message: Predict) -> Iterator[Message]:
        wanted = blocks(message.window, UPLOAD_BLOCK_PX)
        missing = [block for block in wanted if block not in self.pixels or self.forgetful]
        if missing:
            yield MissingPixels(tuple(missing[: self.most_missing]))
            return
        for count, block in enumerate(wanted, start=1):
            source = self.pixels[block]
            yield PatchReady(Patch(block, source.array & 1, source.valid, self.log.revision))
            yield Progress(count, len(wanted))
        yield Done(self.log.revision, {"total": 0.5})


class Script:
    """A transport that says what the test wrote: replies to the n-th request sent, or nothing."""

    def __init__(self, *replies: Sequence[Message]) -> None:
        self.replies = deque(replies)
        self.sent: list[tuple[str, Message]] = []
        self.inbox: deque[list[bytes]] = deque()
        self.closed = False

    def send(self, frames: Sequence[bytes]) -> None:
        request_id, message = wire.unpack(frames)
        self.sent.append((request_id, message))
        for reply in self.replies.popleft() if self.replies else ():
            self.inbox.append(wire.pack(reply, request_id))

    def receive(self, timeout_s: float) -> Optional[list[bytes]]:
        if not self.inbox:
            time.sleep(min(timeout_s, 0.005))
            return None
        return self.inbox.popleft()

    def close(self) -> None:
        self.closed = True


def read_pixels(window: Window) -> Patch:
    rows, cols = np.mgrid[window.row : window.row_end, window.col : window.col_end]
    return Patch(window, ((rows + cols) % 256).astype(np.uint8)[None], np.ones(window.shape, bool))


def no_pixels(window: Window) -> Patch:
    raise AssertionError("these pixels were sent already")


@pytest.fixture
def server() -> TinyServer:
    return TinyServer()


@pytest.fixture
def client(server: TinyServer) -> Client:
    return Client(LocalTransport(server.handle))


def test_each_request_returns_what_the_server_answered(client, server):
    assert client.hello() == Welcome("tiny", "cpu")
    assert client.models() == ()
    assert client.open_session("s", "tiny", RASTER) == SessionOpened("s", 0)
    assert client.ping() == Pong(busy=False)
    client.close_session("s")
    assert server.heard == [Hello("terrafine"), ListModels(), OpenSession("s", "tiny", RASTER), CloseSession("s")]


def test_predict_sends_the_missing_pixels_and_yields_patches_of_the_whole_window(client):
    got = list(client.predict("s", WHOLE, read_pixels))
    patches = [item for item in got if isinstance(item, Patch)]
    assert [patch.window for patch in patches] == blocks(WHOLE, UPLOAD_BLOCK_PX)
    assert all(np.array_equal(patch.array, read_pixels(patch.window).array & 1) for patch in patches)
    assert got[-1] == Done(0, {"total": 0.5})


def test_progress_tells_sending_from_classifying(client):
    progress = [item for item in client.predict("s", WHOLE, read_pixels) if isinstance(item, Progress)]
    assert progress[:4] == [Progress(done, total, "upload") for done, total in ((1, 2), (2, 2), (3, 4), (4, 4))]
    assert progress[4:] == [Progress(count, 4, "classify") for count in (1, 2, 3, 4)]


def test_pixels_travel_once(client):
    list(client.predict("s", WHOLE, read_pixels))
    before = client.bytes_sent
    assert list(client.predict("s", WHOLE, no_pixels))
    assert client.bytes_sent - before < 300


def test_content_that_the_server_has_is_offered_and_does_not_travel(client, server):
    list(client.predict("s", WHOLE, read_pixels))
    sent = client.bytes_sent
    server.pixels.clear()  # as in another session
    again = list(client.predict("s", WHOLE, read_pixels))
    assert again[:2] == [Progress(1, 2, "upload"), Progress(2, 2, "upload")]
    assert isinstance(again[-1], Done)
    assert client.bytes_sent - sent < 3000
    assert sum(isinstance(message, PutPixels) for message in server.heard) == 4


def test_only_the_blocks_that_changed_travel_again(client, server):
    list(client.predict("s", WHOLE, read_pixels))
    server.pixels.clear()
    server.heard.clear()
    changed = Window(512, 0, 188, 512)

    def read_changed(window: Window) -> Patch:
        patch = read_pixels(window)
        return replace(patch, array=255 - patch.array) if window == changed else patch

    list(client.predict("s", WHOLE, read_changed))
    assert [message.patch.window for message in server.heard if isinstance(message, PutPixels)] == [changed]


@pytest.mark.parametrize(("count", "offers"), [(16, [16]), (18, [4, 4, 4, 4, 2])])
def test_few_blocks_are_offered_together_and_many_by_four(client, server, count: int, offers: list[int]):
    server.most_missing = 100
    list(client.predict("s", Window(0, 0, count * 512, 1), read_pixels))
    assert [len(message.windows) for message in server.heard if isinstance(message, OfferPixels)] == offers


def test_bytes_are_counted_in_both_directions(client):
    client.hello()
    assert client.bytes_sent == len(wire.pack(Hello("terrafine"), "1")[0])
    assert client.bytes_received == len(wire.pack(Welcome("tiny", "cpu"), "1")[0])


def test_a_server_that_forgets_what_it_was_sent_does_not_keep_the_client_for_ever(client, server):
    server.forgetful = True
    with pytest.raises(OutOfMemory):
        list(client.predict("s", WHOLE, read_pixels))


@pytest.mark.parametrize("window", [Window(0, 0, 513, 1), Window(500, 0, 24, 24), Window(0, 0, 0, 0)])
def test_only_blocks_of_the_upload_grid_are_read(window):
    client = Client(Script([MissingPixels((window,))]))
    with pytest.raises(BadRequest, match="upload grid"):
        list(client.predict("s", WHOLE, no_pixels))


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_a_failure_raises_the_error_that_the_server_meant(code):
    client = Client(Script([Failed(code, "It went wrong.", "Do this.")]))
    with pytest.raises(BY_CODE[code]) as caught:
        client.hello()
    assert type(caught.value) is BY_CODE[code]
    assert (caught.value.message, caught.value.hint) == ("It went wrong.", "Do this.")


def test_a_failure_in_the_middle_of_a_prediction_ends_it():
    client = Client(Script([Progress(1, 2), Failed("not_found", "The session is gone.")]))
    prediction = client.predict("s", WHOLE, no_pixels)
    assert next(prediction) == Progress(1, 2)
    with pytest.raises(NotFound):
        next(prediction)


def test_an_answer_to_another_question_is_a_bad_request():
    with pytest.raises(BadRequest, match="'pong'"):
        Client(Script([Pong(busy=False)])).hello()


def test_replies_to_earlier_requests_are_dropped():
    script = Script([Progress(1, 9), Progress(2, 9)], [], [Welcome("tiny", "cpu")])
    client = Client(script)
    prediction = client.predict("s", WHOLE, no_pixels)
    next(prediction)
    prediction.close()
    assert client.hello() == Welcome("tiny", "cpu")


def test_a_prediction_that_is_dropped_is_cancelled_before_the_next_request():
    script = Script([Progress(1, 9)], [], [Pong(busy=False)])
    client = Client(script)
    next(client.predict("s", WHOLE, no_pixels))
    client.ping()
    assert [message for _, message in script.sent[1:]] == [Cancel("1"), Ping()]


def test_a_prediction_that_another_thread_drops_does_not_touch_the_transport():
    script = Script([Progress(1, 9)])
    prediction = Client(script).predict("s", WHOLE, no_pixels)
    next(prediction)
    thread = threading.Thread(target=prediction.close)
    thread.start()
    thread.join()
    assert len(script.sent) == 1


def test_a_prediction_that_ran_to_its_end_is_not_cancelled():
    script = Script([Done(0)])
    assert list(Client(script).predict("s", WHOLE, no_pixels)) == [Done(0)]
    assert len(script.sent) == 1


def test_cancel_from_another_thread_ends_a_silent_prediction_at_once():
    script = Script()
    client = Client(script)
    threading.Timer(0.1, client.cancel).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        list(client.predict("s", WHOLE, no_pixels))
    assert time.monotonic() - began < 5
    assert script.sent[1][1] == Cancel("1")


def test_cancel_while_pixels_are_sent_stops_the_sending(client):
    read: list[Window] = []

    def read_and_cancel(window: Window) -> Patch:
        client.cancel()
        read.append(window)
        return read_pixels(window)

    with pytest.raises(Cancelled):
        list(client.predict("s", WHOLE, read_and_cancel))
    assert len(read) == 1


def test_a_cancel_counts_for_the_running_prediction_only(client):
    client.cancel()
    assert list(client.predict("s", WHOLE, read_pixels))


def test_a_change_of_marks_is_never_cut_off(client, server):
    client.cancel()
    log = AnnotationLog()
    assert client.change_annotations("s", log.add(MARK)).revision == 1
    assert server.log.marks == (MARK,)


def test_a_silent_server_is_pinged_once_and_then_given_up():
    script = Script()
    client = Client(script, idle_timeout_s=0.05, ping_timeout_s=0.05)
    with pytest.raises(ConnectionFailed, match="silent"):
        client.hello()
    assert [message for _, message in script.sent] == [Hello("terrafine"), Ping()]


def test_a_busy_server_that_answers_pings_is_waited_for():
    pong = [Pong(busy=True)]
    script = Script([], pong, pong, pong)
    with pytest.raises(ConnectionFailed):
        Client(script, idle_timeout_s=0.02, ping_timeout_s=0.02).hello()
    assert [message for _, message in script.sent] == [Hello("terrafine")] + [Ping()] * 4
