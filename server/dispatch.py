"""Requests to replies: what the server does, without sockets; serve.py puts it on the network."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

from shapely.errors import ShapelyError

from terrafine.server import engine
from terrafine.server.contents import ContentStore
from terrafine.server.pixels import BlockStore
from terrafine.server.session import Caches, Session
from terrafine.server.zoo import Zoo
from terrafine.shared import messages as m
from terrafine.shared.errors import BadRequest, NotFound, OutOfMemory, TerrafineError, TooLarge
from terrafine.shared.patch import Patch
from terrafine.shared.raster import check_fit
from terrafine.shared.wire import LIMITS

log = logging.getLogger(__name__)
MAX_SESSIONS = 16  # the one that was not used for longest makes room; its client opens it again
MAX_WINDOWS = 4096  # in one MissingPixels, and so in one OfferPixels
# What torch, numpy, shapely and the operating system raise. torch reports exhausted memory, too, as a RuntimeError.
FOREIGN_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SystemError,
    TypeError,
    ValueError,
    ShapelyError,
)

Replies = Iterator[m.Reply]
Stopped = Callable[[], bool]


class Dispatcher:
    """Answers requests, one at a time: it is not meant for several threads."""

    def __init__(self, zoo: Zoo) -> None:
        self.zoo = zoo
        self.caches = Caches()
        self.contents = ContentStore()
        self._sessions: OrderedDict[str, _Opened] = OrderedDict()
        self._handlers: dict[type, Callable[[Any, Stopped], Replies]] = {
            m.Hello: self._hello,
            m.Ping: self._ping,
            m.Cancel: self._cancel,
            m.ListModels: self._list_models,
            m.OpenSession: self._open,
            m.OfferPixels: self._offer_pixels,
            m.PutPixels: self._put_pixels,
            m.ChangeAnnotations: self._change,
            m.SetAnnotations: self._set,
            m.Predict: self._predict,
            m.CloseSession: self._close,
        }

    def handle(self, message: m.Message, cancelled: Stopped = engine.never) -> Replies:
        """Yield the replies to `message`, the last of which ends it; whatever goes wrong becomes a Failed.

        This is the seam where foreign errors are translated: nothing but GeneratorExit leaves it.
        """
        try:
            yield from self._handler(message)(message, cancelled)
        except TerrafineError as error:
            yield m.Failed(error.code, error.message, error.hint)
        except FOREIGN_ERRORS as error:
            if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in str(error)):
                yield self._out_of_memory(error)
            else:
                yield failure(message, error)

    def close(self) -> None:
        """Forget all sessions and remove what they kept on disk."""
        while self._sessions:
            self._forget(next(iter(self._sessions)))
        self.contents.close()

    def _handler(self, message: m.Message) -> Callable[[Any, Stopped], Replies]:
        if type(message) not in self._handlers:
            raise BadRequest(f"{type(message).__name__} is not a request.")
        return self._handlers[type(message)]

    def _hello(self, _request: m.Hello, _cancelled: Stopped) -> Replies:
        yield welcome(self.zoo.device)

    def _ping(self, _request: m.Ping, _cancelled: Stopped) -> Replies:
        yield m.Pong(busy=False)

    def _cancel(self, request: m.Cancel, _cancelled: Stopped) -> Replies:
        yield m.Cancelling(request.request)

    def _list_models(self, _request: m.ListModels, _cancelled: Stopped) -> Replies:
        yield m.Models(self.zoo.specs())

    def _open(self, request: m.OpenSession, _cancelled: Stopped) -> Replies:
        opened = self._sessions.get(request.session)
        if opened is None or (opened.model, opened.session.info) != (request.model, request.raster):
            opened = self._new(request)
        self._sessions.move_to_end(request.session)
        yield m.SessionOpened(request.session, opened.session.log.revision, opened.session.warnings)

    def _new(self, request: m.OpenSession) -> _Opened:
        predictor = self.zoo.predictor(request.model)
        check_fit(request.raster, predictor.spec)
        self._forget(request.session)
        while len(self._sessions) >= MAX_SESSIONS:
            self._forget(next(iter(self._sessions)))
        store = BlockStore(request.raster, self.contents)
        session = Session(request.raster, store, predictor, self.caches, request.session)
        self._sessions[request.session] = _Opened(session, store, request.model)
        return self._sessions[request.session]

    def _offer_pixels(self, request: m.OfferPixels, _cancelled: Stopped) -> Replies:
        if len(request.windows) > MAX_WINDOWS:
            raise TooLarge(f"{len(request.windows)} blocks were offered; {MAX_WINDOWS} are allowed.")
        missing, replaced = self._opened(request.session).store.offer(request.windows, request.digests)
        if replaced:
            self.caches.drop(request.session)
        yield m.MissingPixels(tuple(missing))

    def _put_pixels(self, request: m.PutPixels, _cancelled: Stopped) -> Replies:
        opened = self._opened(request.session)
        if opened.store.put(request.patch):
            self.caches.drop(request.session)
        yield m.PixelsStored(request.patch.window)

    def _change(self, request: m.ChangeAnnotations, _cancelled: Stopped) -> Replies:
        session = self._opened(request.session).session
        changed = session.change(request.delta)
        yield m.AnnotationsChanged(session.log.revision, changed)

    def _set(self, request: m.SetAnnotations, _cancelled: Stopped) -> Replies:
        session = self._opened(request.session).session
        changed = session.replace(request.annotations, request.revision)
        yield m.AnnotationsChanged(session.log.revision, changed)

    def _predict(self, request: m.Predict, cancelled: Stopped) -> Replies:
        session = self._opened(request.session).session
        missing = engine.missing_pixels(session, request.window, request.changed_since)
        if missing:
            yield m.MissingPixels(tuple(missing[:MAX_WINDOWS]))
            return
        for item in engine.predict(session, request.window, request.changed_since, cancelled, request.uncertainty):
            yield m.PatchReady(item) if isinstance(item, Patch) else item

    def _close(self, request: m.CloseSession, _cancelled: Stopped) -> Replies:
        self._forget(request.session)
        yield m.SessionClosed(request.session)

    def _opened(self, name: str) -> _Opened:
        if name not in self._sessions:
            raise NotFound("The server does not hold this session (any more).", "Open it again.")
        self._sessions.move_to_end(name)
        return self._sessions[name]

    def _forget(self, name: str) -> None:
        opened = self._sessions.pop(name, None)
        if opened is not None:
            opened.session.close()

    def _out_of_memory(self, error: BaseException) -> m.Failed:
        log.error("out of memory: %s", error)
        self.caches.clear()
        return m.Failed(
            OutOfMemory.code, "The server ran out of memory.", "Classify a smaller area, or close other programs."
        )


class _Opened:
    """A session that a client opened, and the store that its pixels go to."""

    def __init__(self, session: Session, store: BlockStore, model: str) -> None:
        self.session = session
        self.store = store
        self.model = model


def failure(message: m.Message, error: BaseException) -> m.Failed:
    """What a client gets to know of an error that nobody foresaw; called where it was caught. The log tells all."""
    log.exception("%s failed", type(message).__name__)
    return m.Failed(TerrafineError.code, f"The server failed: {str(error)[:1000]}.", "Its log says more.")


def welcome(device: str) -> m.Welcome:
    return m.Welcome(f"terrafine-server {metadata.version('terrafine')}", device, {**LIMITS, "windows": MAX_WINDOWS})
