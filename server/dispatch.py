"""Requests to replies: what the server does, without sockets; the gateway puts it on the network."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional, Union

import torch

from terrafine.server.answers import FOREIGN_ERRORS, MAX_WINDOWS, failed, failure, welcome
from terrafine.server.engine import advising, engine, learning, objects, ranking, side, uncertainty
from terrafine.server.engine.batches import Wanted
from terrafine.server.engine.memory import is_out_of_memory
from terrafine.server.engine.session import Session
from terrafine.server.engine.sessions import Kept, Sessions
from terrafine.server.engine.work import Stopped, Work, never
from terrafine.server.journal import records
from terrafine.server.journal.folder import StateFolder
from terrafine.server.model_card import card_of
from terrafine.server.rasters.pixels import BlockStore
from terrafine.server.rasters.shared_files import DataRoots
from terrafine.server.zoo import Zoo, check_name
from terrafine.shared import messages as m
from terrafine.shared.errors import BadRequest, OutOfMemory, TerrafineError, TooLarge
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch

log = logging.getLogger(__name__)
_WORK = (m.Predict, m.MeasureUncertainty, m.RankPatches, m.Advise, m.Learn)  # changes nothing unless it succeeds
_SMALLER = "Classify a smaller area, or close other programs."

Steps = Iterator[Union[m.Reply, Wanted]]


@dataclass(frozen=True)
class Caller:
    """Who asks: `client` is the public key that its connection proved, "" on a loopback port without keys."""

    client: str
    work: Work


Handler = Callable[[Any, Caller], Steps]


class Dispatcher:
    """Answers requests, one at a time: it is not meant for several threads."""

    def __init__(
        self,
        zoo: Zoo,
        state: Optional[StateFolder] = None,
        roots: Optional[DataRoots] = None,
        predict: Callable[..., Iterator[Union[m.Reply, Patch, Wanted]]] = engine.steps,
    ) -> None:
        """`state` is where sessions are written down; by default, in a temporary folder. `roots` holds the rasters that
        clients may name; by default, none. `predict` is what makes maps, as engine.steps does.
        """
        self.zoo = zoo
        self._make_map = predict
        self._begins_early = predict is engine.steps  # others need all pixels of a map before they share it out
        self.roots = roots if roots is not None else DataRoots()
        self.sessions = Sessions(zoo, state, self.roots)
        self._handlers: dict[type, Handler] = {
            m.Hello: self._hello,
            m.Ping: self._ping,
            m.Cancel: self._cancel,
            m.ListModels: self._list_models,
            m.OpenSession: self._open,
            m.OfferPixels: self._offer_pixels,
            m.OpenFile: self._open_file,
            m.PutPixels: self._put_pixels,
            m.ChangeAnnotations: self._change,
            m.SetAnnotations: self._set,
            m.Predict: self._predict,
            m.MeasureUncertainty: self._measure,
            m.RankPatches: self._rank,
            m.Advise: self._advise,
            m.FindObject: self._find_object,
            m.Learn: self._learn,
            m.UseWeights: self._use_weights,
            m.SetLegend: self._set_legend,
            m.SetSideInformation: self._set_side,
            m.SaveModel: self._save,
            m.CloseSession: self._close,
        }

    def handle(self, message: m.Message, client: str = "") -> Iterator[m.Reply]:
        """Yield the replies to `client`'s `message`; the last ends it, and whatever goes wrong becomes a Failed."""
        return (step for step in self.steps(message, client=client) if not isinstance(step, Wanted))

    def steps(
        self, message: m.Message, stopped: Stopped = never, client: str = "", arrived: Optional[float] = None
    ) -> Steps:
        """Like `handle`, with a Wanted before each batch of tiles, where the engine says what it will make.

        arrived  when the message did, by time.perf_counter, if it waited for its turn

        Each reply says how long what came before it took; Done, how long all of it took.
        """
        work = Work(stopped, arrived)
        for step in self._translated(message, Caller(client, work)):
            if isinstance(step, Wanted):
                yield step
                continue
            seconds = work.lap()
            yield step if step.seconds else replace(step, seconds=seconds)

    def _translated(self, message: m.Message, caller: Caller) -> Steps:
        """This is the seam where foreign errors are translated: nothing but GeneratorExit leaves it."""
        try:
            yield from self._tried_twice(message, caller)
        except TerrafineError as error:
            yield failed(error)
        except FOREIGN_ERRORS as error:
            if is_out_of_memory(error):
                self._make_room(error)
                yield m.Failed(OutOfMemory.code, "The server ran out of memory.", _SMALLER)
            else:
                yield failure(message, error)

    def _tried_twice(self, message: m.Message, caller: Caller) -> Steps:
        """Work that runs out of memory begins once more, without what was only kept to be quick."""
        try:
            yield from self._handler(message)(message, caller)
        except FOREIGN_ERRORS as error:
            if not isinstance(message, _WORK) or not is_out_of_memory(error):
                raise
            self._make_room(error)
        else:
            return
        yield from self._handler(message)(message, caller)

    def warm_up(self, models: Sequence[str] = ()) -> None:
        """Load models before anybody waits for them; by default, that of the session used last, if there is one.

        Raises NotFound or UnusableModel for one of `models`.
        """
        for name in models:
            self.zoo.predictor(name)
        try:
            if not models and self.sessions.last_model:
                self.zoo.predictor(self.sessions.last_model)
        except (TerrafineError, *FOREIGN_ERRORS) as error:
            log.warning("the model used last cannot be loaded: %s", error)

    def close(self) -> None:
        """Let go of all sessions, and of what they kept on disk, but for what is to last."""
        self.sessions.close_all()

    def _handler(self, message: m.Message) -> Handler:
        if type(message) not in self._handlers:
            raise BadRequest(f"{type(message).__name__} is not a request.")
        return self._handlers[type(message)]

    def _hello(self, _request: m.Hello, _caller: Caller) -> Steps:
        yield welcome(self.zoo.device, self.roots.names)

    def _ping(self, _request: m.Ping, _caller: Caller) -> Steps:
        yield m.Pong(busy=False)

    def _cancel(self, request: m.Cancel, _caller: Caller) -> Steps:
        yield m.Cancelling(request.request)

    def _list_models(self, _request: m.ListModels, _caller: Caller) -> Steps:
        yield m.Models(self.zoo.specs())

    def _open(self, request: m.OpenSession, caller: Caller) -> Steps:
        session = self.sessions.open(caller.client, request)
        yield m.SessionOpened(request.session, session.log.revision, session.warnings, session.weights.current.name)

    def _offer_pixels(self, request: m.OfferPixels, caller: Caller) -> Steps:
        if len(request.windows) > MAX_WINDOWS:
            raise TooLarge(f"{len(request.windows)} blocks were offered; {MAX_WINDOWS} are allowed.")
        kept = self._kept(request, caller)
        missing, replaced = kept.store.offer(request.windows, request.digests)
        if replaced:
            kept.session.forget()
        here = {window: digest for window, digest in zip(request.windows, request.digests) if window not in missing}
        if here:
            kept.note(records.Pixels(tuple(here), tuple(here.values())))
        yield m.MissingPixels(tuple(missing))

    def _open_file(self, request: m.OpenFile, caller: Caller) -> Steps:
        kept = self._kept(request, caller)
        file = self.roots.open(request.path, kept.session.info)
        try:
            file.check(request.nbytes, request.windows, request.digests)
        except TerrafineError:
            file.close()
            raise
        kept.use_file(file)
        yield m.FileOpened(request.path)

    def _put_pixels(self, request: m.PutPixels, caller: Caller) -> Steps:
        kept = self._kept(request, caller)
        if kept.store.put(request.patch):
            kept.session.forget()
        kept.note(records.Pixels((request.patch.window,), (kept.store.digest_at(request.patch.window),)))
        yield m.PixelsStored(request.patch.window)

    def _change(self, request: m.ChangeAnnotations, caller: Caller) -> Steps:
        kept = self._kept(request, caller)
        changed = kept.session.change(request.delta)
        kept.note(records.Change(request.delta))
        yield m.AnnotationsChanged(kept.session.log.revision, changed)

    def _set(self, request: m.SetAnnotations, caller: Caller) -> Steps:
        kept = self._kept(request, caller)
        changed = kept.session.replace(request.annotations, request.revision)
        kept.note(records.Marks(request.annotations, request.revision))
        yield m.AnnotationsChanged(kept.session.log.revision, changed)

    def _predict(self, request: m.Predict, caller: Caller) -> Steps:
        session = self._kept(request, caller).session
        method = request.method if request.uncertainty else ""
        window, since = request.window, request.changed_since
        if request.after is not None and self._begins_early:
            given = session, window, since, method, caller.work, request.detail
            return _unless(session, (), engine.steps(*given, after=request.after))
        missing = engine.missing_pixels(session, window, since, request.detail)
        return _unless(session, missing, self._make_map(session, window, since, method, caller.work, request.detail))

    def _measure(self, request: m.MeasureUncertainty, caller: Caller) -> Steps:
        session = self._kept(request, caller).session
        missing = engine.missing_pixels(session, uncertainty.covered(session, request.window, request.factor))
        measured = uncertainty.measure(session, request.window, request.method, request.factor, caller.work)
        return _unless(session, missing, measured)

    def _rank(self, request: m.RankPatches, caller: Caller) -> Steps:
        session = self._kept(request, caller).session
        area = uncertainty.covered(session, request.window, request.options.size_px)
        ranked = ranking.rank(session, request.window, request.options, caller.work)
        return _unless(session, engine.missing_pixels(session, area), ranked)

    def _advise(self, request: m.Advise, caller: Caller) -> Steps:
        session = self._kept(request, caller).session
        area = advising.area_of(session, request.since)
        return _unless(
            session, engine.missing_pixels(session, area), advising.advise(session, request.since, caller.work)
        )

    def _find_object(self, request: m.FindObject, caller: Caller) -> Steps:
        session, finder = self._kept(request, caller).session, self.zoo.finder(request.model)
        found = objects.find(session, finder, request.guide, caller.work)
        return _unless(session, objects.missing_pixels(session, finder, request.guide), found)

    def _learn(self, request: m.Learn, caller: Caller) -> Steps:
        kept = self._kept(request, caller)
        kept.session.log.check_follows(request.base, request.revision)
        learnt = learning.learn(kept.session, request.base, request.revision, request.options, caller.work)
        for reply in _unless(kept.session, learning.missing_pixels(kept.session), learnt):
            if isinstance(reply, m.Learnt):
                self.sessions.note_network(kept)
            yield reply

    def _use_weights(self, request: m.UseWeights, caller: Caller) -> Steps:
        kept = self._kept(request, caller)
        changed = learning.use_weights(kept.session, request.base, request.revision, request.weights)
        self.sessions.note_network(kept)
        yield m.MapChanged(kept.session.log.revision, changed)

    def _set_legend(self, request: m.SetLegend, caller: Caller) -> Steps:
        kept = self._kept(request, caller)
        changed = learning.set_legend(kept.session, request.base, request.revision, request.classes, request.becomes)
        self.sessions.note_network(kept)
        yield m.MapChanged(kept.session.log.revision, changed)

    def _set_side(self, request: m.SetSideInformation, caller: Caller) -> Steps:
        kept = self._kept(request, caller)
        changed = side.set_side(kept.session, request.base, request.revision, request.side)
        kept.note_side()
        yield m.MapChanged(kept.session.log.revision, changed)

    def _save(self, request: m.SaveModel, caller: Caller) -> Steps:
        session = self._kept(request, caller).session
        check_name(request.name)
        predictor, spec = learning.saved(session, request.name, request.title)
        self.zoo.save(predictor, spec, card_of(session, spec))
        yield m.ModelSaved(spec)

    def _close(self, request: m.CloseSession, caller: Caller) -> Steps:
        self.sessions.close(caller.client, request.session)
        yield m.SessionClosed(request.session)

    def _kept(self, request: Any, caller: Caller) -> Kept:
        """The caller's own session that the request names; raises NotFound."""
        kept = self.sessions.find(caller.client, request.session)
        kept.check_file()
        return kept

    def _make_room(self, error: BaseException) -> None:
        log.error("out of memory: %s", error)
        self.sessions.caches.clear()
        gc.collect()  # what failed hangs on to its frames, and they to their tensors
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _unless(session: Session, missing: Sequence[Window], items: Iterator[Union[Patch, m.Reply, Wanted]]) -> Steps:
    """The items as replies, or the blocks without which there are none; raises OutOfMemory where these find no room."""
    if missing:
        if isinstance(session.source, BlockStore):
            session.source.check_room(missing)
        yield m.MissingPixels(tuple(missing[:MAX_WINDOWS]))
        return
    for item in items:
        yield m.PatchReady(item) if isinstance(item, Patch) else item
