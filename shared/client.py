"""The client's side of the protocol, for QGIS, the demo and the tests alike.

A Client and its transport belong to one thread; only `cancel` may be called from another. Every call raises the error
that the server meant (errors.py), or ConnectionFailed where the server is gone or silent.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Callable, Iterator, Optional, Sequence, TypeVar, Union

from terrafine.shared import wire
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.errors import BadRequest, Cancelled, ConnectionFailed, OutOfMemory, error_from_code
from terrafine.shared.geo import Window, contains
from terrafine.shared.messages import (
    STREAMED,
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
from terrafine.shared.spec import ModelSpec

if TYPE_CHECKING:  # ZeroMQ may be missing where a client is only named
    from terrafine.shared.transport import Transport

IDLE_TIMEOUT_S = 10.0
PING_TIMEOUT_S = 5.0
_OFFERED_BLOCKS = 16  # as many are in memory until the server says which of them it lacks
_LOOK_UP_S = 0.05  # how often the receive loop looks whether it was cancelled
_Reply = TypeVar("_Reply")
ReadPixels = Callable[[Window], Patch]


class Client:
    """Asks a server, one request at a time.

    name            who asks, for the server's log: "terrafine-qgis 0.1.0"
    idle_timeout_s, ping_timeout_s   after so long without a word the server is pinged; and given up, without an answer
    bytes_sent, bytes_received   frames of all messages so far
    """

    def __init__(
        self,
        transport: Transport,
        name: str = "terrafine",
        idle_timeout_s: float = IDLE_TIMEOUT_S,
        ping_timeout_s: float = PING_TIMEOUT_S,
    ) -> None:
        self.name = name
        self.idle_timeout_s = idle_timeout_s
        self.ping_timeout_s = ping_timeout_s
        self.bytes_sent = 0
        self.bytes_received = 0
        self._transport = transport
        self._ids = itertools.count(1)
        self._cancelled = threading.Event()
        self._abandoned: deque[str] = deque()

    def hello(self) -> Welcome:
        return self._ask(Hello(self.name), Welcome)

    def ping(self) -> Pong:
        return self._ask(Ping(), Pong)

    def models(self) -> tuple[ModelSpec, ...]:
        return self._ask(ListModels(), Models).models

    def open_session(self, session: str, model: str, raster: RasterInfo) -> SessionOpened:
        return self._ask(OpenSession(session, model, raster), SessionOpened)

    def close_session(self, session: str) -> None:
        self._ask(CloseSession(session), SessionClosed)

    def put_pixels(self, session: str, patch: Patch) -> None:
        self._ask(PutPixels(session, patch), PixelsStored)

    def change_annotations(self, session: str, delta: Delta) -> AnnotationsChanged:
        """Send a change of the marks; RevisionMismatch means that all marks must be sent with `set_annotations`."""
        return self._ask(ChangeAnnotations(session, delta), AnnotationsChanged)

    def set_annotations(self, session: str, marks: Sequence[Annotation], revision: int) -> AnnotationsChanged:
        return self._ask(SetAnnotations(session, tuple(marks), revision), AnnotationsChanged)

    def predict(
        self,
        session: str,
        window: Window,
        read_pixels: ReadPixels,
        changed_since: Optional[int] = None,
        uncertainty: bool = False,
    ) -> Iterator[Union[Progress, Patch, Done]]:
        """Classify `window`: finished Patches and Progress as they come, Done at the end.

        Pixels that the session lacks are read with `read_pixels(block)`, a Patch of RasterInfo.file_bands, and sent if
        the server has the same for no other session.
        If the iterator is closed or dropped before Done, the server is told to stop with the next request.
        """
        self._cancelled.clear()
        request = Predict(session, window, changed_since, uncertainty)
        sent: set[Window] = set()
        while True:
            missing: tuple[Window, ...] = ()
            for reply in self._stream(request, cancellable=True):
                if isinstance(reply, PatchReady):
                    yield reply.patch
                elif isinstance(reply, MissingPixels):
                    missing = _new_blocks(reply, sent)
                elif isinstance(reply, (Progress, Done)):
                    yield reply
                else:
                    raise _unexpected(reply)
            if not missing:
                return
            yield from self._upload(session, missing, read_pixels)
            sent.update(missing)

    def cancel(self) -> None:
        """Make the `predict` that is running raise Cancelled; without one, nothing happens. From any thread."""
        self._cancelled.set()

    def close(self) -> None:
        self._transport.close()

    def _upload(self, session: str, blocks: Sequence[Window], read_pixels: ReadPixels) -> Iterator[Progress]:
        done = 0
        for start in range(0, len(blocks), _OFFERED_BLOCKS):
            patches = [self._read(block, read_pixels) for block in blocks[start : start + _OFFERED_BLOCKS]]
            missing = self._offer(session, patches)
            for patch in patches:
                if patch.window in missing:
                    self._ask(PutPixels(session, patch), PixelsStored, cancellable=True)
                done += 1
                yield Progress(done, len(blocks), "upload")

    def _read(self, block: Window, read_pixels: ReadPixels) -> Patch:
        if self._cancelled.is_set():
            raise _stopped()
        return read_pixels(block)

    def _offer(self, session: str, patches: Sequence[Patch]) -> tuple[Window, ...]:
        """Tell the server what the blocks hold; returns those that it lacks."""
        offer = OfferPixels(session, tuple(patch.window for patch in patches), tuple(map(digest, patches)))
        return self._ask(offer, MissingPixels, cancellable=True).windows

    def _ask(self, request: Message, kind: type[_Reply], cancellable: bool = False) -> _Reply:
        """The one reply to a request that has one."""
        for reply in self._stream(request, cancellable):
            answer = _expected(reply, kind)
        return answer

    def _stream(self, request: Message, cancellable: bool) -> Iterator[Message]:
        """Send a request and yield its replies, the final one last; the server is told if nobody waits for that."""
        request_id = self._send(request)
        ended = False
        try:
            while not ended:
                reply = self._next_reply(request_id, cancellable)
                ended = not isinstance(reply, STREAMED)
                if isinstance(reply, Failed):
                    raise error_from_code(reply.code, reply.message, reply.hint)
                yield reply
        except Cancelled:
            if not ended:
                self._send(Cancel(request_id))
            raise
        except GeneratorExit:
            # Perhaps the garbage collector's doing, in any thread and at any time: no moment to use the socket.
            if not ended:
                self._abandoned.append(request_id)
            raise

    def _next_reply(self, request_id: str, cancellable: bool) -> Message:
        """Wait for a reply to this request; what answers earlier ones is dropped."""
        heard, pinged = time.monotonic(), False
        while not (cancellable and self._cancelled.is_set()):
            frames = self._transport.receive(_LOOK_UP_S)
            if frames is None:
                pinged = self._mind_silence(time.monotonic() - heard, pinged)
                continue
            self.bytes_received += sum(map(len, frames))
            got_id, reply = wire.unpack(frames)
            if got_id == request_id:
                return reply
            heard, pinged = time.monotonic(), False
        raise _stopped()

    def _mind_silence(self, silent_s: float, pinged: bool) -> bool:
        """Ping once when it has been silent for too long, give up when that is not answered; has it been pinged?"""
        if pinged and silent_s > self.idle_timeout_s + self.ping_timeout_s:
            raise ConnectionFailed("The server has gone silent.", "Check that it still runs, then connect again.")
        if not pinged and silent_s > self.idle_timeout_s:
            self._send(Ping())
            return True
        return pinged

    def _send(self, message: Message) -> str:
        """Send a request under a new id, which is returned; what was abandoned before is cancelled first."""
        while self._abandoned:
            self._post(Cancel(self._abandoned.popleft()))
        return self._post(message)

    def _post(self, message: Message) -> str:
        request_id = str(next(self._ids))
        frames = wire.pack(message, request_id)
        self._transport.send(frames)
        self.bytes_sent += sum(map(len, frames))
        return request_id


def _stopped() -> Cancelled:
    return Cancelled("The work was cancelled.")


def _expected(reply: Message, kind: type[_Reply]) -> _Reply:
    if not isinstance(reply, kind):
        raise _unexpected(reply)
    return reply


def _unexpected(reply: Message) -> BadRequest:
    return BadRequest(f"The server answered with '{wire.type_name(type(reply))}', which is no answer to this.")


def _new_blocks(reply: MissingPixels, sent: set[Window]) -> tuple[Window, ...]:
    """The blocks to send now. A server that only asks for what it was sent would do so for ever."""
    for window in reply.windows:
        size = UPLOAD_BLOCK_PX
        cell = Window(window.col // size * size, window.row // size * size, size, size)
        if window.is_empty or not contains(cell, window):
            raise BadRequest(f"The server asks for {window}, which is no block of the upload grid.")
    blocks = tuple(window for window in reply.windows if window not in sent)
    if not blocks:
        raise OutOfMemory(
            "The server asks again for pixels that it was sent.", "Choose a smaller area, or give it more memory."
        )
    return blocks
