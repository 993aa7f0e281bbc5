"""Requests to replies: what the server does, without sockets; the gateway puts it on the network."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional, Union

from terrafine.server.answers import FOREIGN_ERRORS, MAX_WINDOWS, failed, failure, welcome
from terrafine.server.engine import advising, engine, learning, ranking, side, uncertainty
from terrafine.server.engine.sessions import Opened, Sessions
from terrafine.server.engine.work import Stopped, Work, never
from terrafine.server.model_card import card_of
from terrafine.server.zoo import Zoo
from terrafine.shared import messages as m
from terrafine.shared.errors import BadRequest, OutOfMemory, TerrafineError, TooLarge
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch

log = logging.getLogger(__name__)

Replies = Iterator[m.Reply]


@dataclass(frozen=True)
class Caller:
    """Who asks: `client` is the public key that its connection proved, "" on a loopback port without keys."""

    client: str
    work: Work


Handler = Callable[[Any, Caller], Replies]


class Dispatcher:
    """Answers requests, one at a time: it is not meant for several threads."""

    def __init__(self, zoo: Zoo) -> None:
        self.zoo = zoo
        self.sessions = Sessions(zoo)
        self._handlers: dict[type, Handler] = {
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
            m.MeasureUncertainty: self._measure,
            m.RankPatches: self._rank,
            m.Advise: self._advise,
            m.Learn: self._learn,
            m.UseWeights: self._use_weights,
            m.SetLegend: self._set_legend,
            m.SetSideInformation: self._set_side,
            m.SaveModel: self._save,
            m.CloseSession: self._close,
        }

    def handle(
        self, message: m.Message, stopped: Stopped = never, client: str = "", arrived: Optional[float] = None
    ) -> Replies:
        """Yield the replies to `client`'s `message`, the last of which ends it; whatever goes wrong becomes a Failed.

        arrived  when the message did, by time.perf_counter, if it waited for its turn

        Each reply says how long what came before it took; Done, how long all of it took.
        """
        work = Work(stopped, arrived)
        for reply in self._translated(message, Caller(client, work)):
            seconds = work.lap()
            yield reply if reply.seconds else replace(reply, seconds=seconds)

    def _translated(self, message: m.Message, caller: Caller) -> Replies:
        """This is the seam where foreign errors are translated: nothing but GeneratorExit leaves it."""
        try:
            yield from self._handler(message)(message, caller)
        except TerrafineError as error:
            yield failed(error)
        except FOREIGN_ERRORS as error:
            if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in str(error)):
                yield self._out_of_memory(error)
            else:
                yield failure(message, error)

    def close(self) -> None:
        """Forget all sessions and remove what they kept on disk."""
        self.sessions.close_all()

    def _handler(self, message: m.Message) -> Handler:
        if type(message) not in self._handlers:
            raise BadRequest(f"{type(message).__name__} is not a request.")
        return self._handlers[type(message)]

    def _hello(self, _request: m.Hello, _caller: Caller) -> Replies:
        yield welcome(self.zoo.device)

    def _ping(self, _request: m.Ping, _caller: Caller) -> Replies:
        yield m.Pong(busy=False)

    def _cancel(self, request: m.Cancel, _caller: Caller) -> Replies:
        yield m.Cancelling(request.request)

    def _list_models(self, _request: m.ListModels, _caller: Caller) -> Replies:
        yield m.Models(self.zoo.specs())

    def _open(self, request: m.OpenSession, caller: Caller) -> Replies:
        session = self.sessions.open(caller.client, request)
        yield m.SessionOpened(request.session, session.log.revision, session.warnings, session.weights.current.name)

    def _offer_pixels(self, request: m.OfferPixels, caller: Caller) -> Replies:
        if len(request.windows) > MAX_WINDOWS:
            raise TooLarge(f"{len(request.windows)} blocks were offered; {MAX_WINDOWS} are allowed.")
        opened = self._opened(request, caller)
        missing, replaced = opened.store.offer(request.windows, request.digests)
        if replaced:
            opened.session.forget()
        yield m.MissingPixels(tuple(missing))

    def _put_pixels(self, request: m.PutPixels, caller: Caller) -> Replies:
        opened = self._opened(request, caller)
        if opened.store.put(request.patch):
            opened.session.forget()
        yield m.PixelsStored(request.patch.window)

    def _change(self, request: m.ChangeAnnotations, caller: Caller) -> Replies:
        session = self._opened(request, caller).session
        changed = session.change(request.delta)
        yield m.AnnotationsChanged(session.log.revision, changed)

    def _set(self, request: m.SetAnnotations, caller: Caller) -> Replies:
        session = self._opened(request, caller).session
        changed = session.replace(request.annotations, request.revision)
        yield m.AnnotationsChanged(session.log.revision, changed)

    def _predict(self, request: m.Predict, caller: Caller) -> Replies:
        session = self._opened(request, caller).session
        method = "entropy" if request.uncertainty else ""
        window, since = request.window, request.changed_since
        missing = engine.missing_pixels(session, window, since, request.detail)
        return _unless(missing, engine.predict(session, window, since, method, caller.work, request.detail))

    def _measure(self, request: m.MeasureUncertainty, caller: Caller) -> Replies:
        session = self._opened(request, caller).session
        missing = engine.missing_pixels(session, uncertainty.covered(session, request.window, request.factor))
        measured = uncertainty.measure(session, request.window, request.method, request.factor, caller.work)
        return _unless(missing, measured)

    def _rank(self, request: m.RankPatches, caller: Caller) -> Replies:
        session = self._opened(request, caller).session
        area = uncertainty.covered(session, request.window, request.options.size_px)
        ranked = ranking.rank(session, request.window, request.options, caller.work)
        return _unless(engine.missing_pixels(session, area), ranked)

    def _advise(self, request: m.Advise, caller: Caller) -> Replies:
        session = self._opened(request, caller).session
        area = advising.area_of(session, request.since)
        return _unless(engine.missing_pixels(session, area), advising.advise(session, request.since, caller.work))

    def _learn(self, request: m.Learn, caller: Caller) -> Replies:
        session = self._opened(request, caller).session
        session.log.check_follows(request.base, request.revision)
        learnt = learning.learn(session, request.base, request.revision, request.options, caller.work)
        return _unless(learning.missing_pixels(session), learnt)

    def _use_weights(self, request: m.UseWeights, caller: Caller) -> Replies:
        session = self._opened(request, caller).session
        changed = learning.use_weights(session, request.base, request.revision, request.weights)
        yield m.MapChanged(session.log.revision, changed)

    def _set_legend(self, request: m.SetLegend, caller: Caller) -> Replies:
        session = self._opened(request, caller).session
        changed = learning.set_legend(session, request.base, request.revision, request.classes, request.becomes)
        yield m.MapChanged(session.log.revision, changed)

    def _set_side(self, request: m.SetSideInformation, caller: Caller) -> Replies:
        session = self._opened(request, caller).session
        changed = side.set_side(session, request.base, request.revision, request.side)
        yield m.MapChanged(session.log.revision, changed)

    def _save(self, request: m.SaveModel, caller: Caller) -> Replies:
        session = self._opened(request, caller).session
        spec = learning.saved_spec(session, request.name, request.title)
        self.zoo.save(session.predictor, spec, card_of(session, spec))
        yield m.ModelSaved(spec)

    def _close(self, request: m.CloseSession, caller: Caller) -> Replies:
        self.sessions.close(caller.client, request.session)
        yield m.SessionClosed(request.session)

    def _opened(self, request: Any, caller: Caller) -> Opened:
        """The caller's own session that the request names; raises NotFound."""
        return self.sessions.find(caller.client, request.session)

    def _out_of_memory(self, error: BaseException) -> m.Failed:
        log.error("out of memory: %s", error)
        self.sessions.caches.clear()
        return m.Failed(
            OutOfMemory.code, "The server ran out of memory.", "Classify a smaller area, or close other programs."
        )


def _unless(missing: Sequence[Window], items: Iterator[Union[Patch, m.Reply]]) -> Replies:
    """The items as replies, or the blocks without which there are none."""
    if missing:
        yield m.MissingPixels(tuple(missing[:MAX_WINDOWS]))
        return
    for item in items:
        yield m.PatchReady(item) if isinstance(item, Patch) else item
