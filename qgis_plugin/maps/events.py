"""Events of the map: what the server is asked for it, and what comes back.

    work   none → CLASSIFYING (a new area), REFINING (after marks or learning), … → none, one at a time

New marks wait while an area is classified or something is learnt; all other work they overtake. What the map shows is
known as a snapshot of what it was computed from; the server is asked for the difference to it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Optional

from terrafine.qgis_plugin.effects import Ask, CancelWork, CreateLayers, Effect, ShowMap, ShowPatch, Tell, told
from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.link.servers import Server
from terrafine.qgis_plugin.requests import Advise, Predict, RankPatches, ServerRequest, Snapshot
from terrafine.qgis_plugin.state import NOTHING, WAITED_FOR, Kind, Link, Session, Work
from terrafine.qgis_plugin.words import warning_in_users_words
from terrafine.shared.errors import Cancelled, ConnectionFailed, NotFound, Superseded, TerrafineError
from terrafine.shared.geo import Window, bounding, intersection
from terrafine.shared.messages import Advice, Progress
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import PLAIN, LandCover, ModelSpec

if TYPE_CHECKING:
    from terrafine.qgis_plugin.rasters.raster import RasterFile


class WorkEvents(ABC):
    """`visible` tells which window of the session's raster the user sees: that is refreshed first after learning."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.link = Link.OFFLINE
        self.local = False
        self.server = Server("")
        self.will_retry = False  # the server that was lost: it was there, and may come back
        self._is_retrying = False
        self.device = ""
        self.models: tuple[ModelSpec, ...] = ()  # that classify
        self.finders: tuple[ModelSpec, ...] = ()  # that find objects
        self.model: Optional[ModelSpec] = None
        self.own_legend = False  # the model's classes are the user's
        self.detail = PLAIN  # that the next area is classified in, where the model can
        self.preferred_model = ""  # the one that was used last time
        self.session: Optional[Session] = None
        self.work: Optional[Work] = None
        self.advice: Optional[Advice] = None
        self.class_id = 0
        self.live = True
        self.seconds: Optional[float] = None
        self.visible: Callable[[], Window] = lambda: NOTHING
        self._clock = clock
        self._jobs = 0

    @property
    def legend(self) -> tuple[LandCover, ...]:
        """The classes to draw with: the session's, else the chosen model's."""
        if self.session is not None:
            return self.session.history.network.legend.shown
        return self.model.classes if self.model else ()

    def take_models(self, models: tuple[ModelSpec, ...]) -> None:
        """What the server has."""
        self.models = tuple(model for model in models if model.task == "map")
        self.finders = tuple(model for model in models if model.task == "object")

    @property
    def lacks_model(self) -> bool:
        """Is the session's map made with a model that the server does not have, or has with other classes?"""
        session = self.session
        return session is not None and self._lacks(session.model, session.own_legend)

    def _lacks(self, model: ModelSpec, own_legend: bool) -> bool:
        offered = next((entry for entry in self.models if entry.name == model.name), None)
        return offered is None or not (own_legend or offered.classes == model.classes)

    def choose_model(self, name: str) -> list[Effect]:
        """Take the model of that name, else the first; without a server the model of the session stays."""
        if self.models:
            self.model = next((model for model in self.models if model.name == name), self.models[0])
            self.own_legend = False
            self.choose_class(self.class_id)
        return []

    def choose_class(self, class_id: int) -> list[Effect]:
        """Draw with this class; one that the legend lacks gives the first."""
        ids = [entry.id for entry in self.legend] or [0]
        self.class_id = class_id if class_id in ids else ids[0]
        return []

    def choose_detail(self, detail: str) -> list[Effect]:
        """Classify in this detail from now on."""
        self.detail = detail
        return []

    def set_live(self, live: bool) -> list[Effect]:
        self.live = live
        return self._refresh_if_live()

    def activate(self, session: Optional[Session]) -> list[Effect]:
        """Work on another raster or model, or, with None, on none."""
        if session is self.session:
            return []
        stop = self.cancel()
        self.session, self.work, self.seconds, self.advice = session, None, None, None
        if session is not None:
            self.model, self.own_legend, self.detail = session.model, session.own_legend, session.detail
            self.choose_class(self.class_id)
        return [*stop, *self.model_missing(), *self._refresh_if_live()]

    # ---- what is asked for -----------------------------------------------------------------------------------------

    def classify(self, raster: RasterFile, window: Window) -> list[Effect]:
        """Classify an area, in a new session unless the current one has this raster and model."""
        if self.link is not Link.ONLINE or self.model is None:
            return [Tell(tr("There is no server to classify with."), tr("Start a local server or connect to one."))]
        if window.is_empty:
            return [Tell(tr("The area does not meet the raster."), tr("Zoom to the raster or choose another area."))]
        if self._lacks(self.model, self.own_legend):
            return [_model_missing(self.model)]
        session = self.session
        if session is None or session.raster.path != raster.path or session.model.name != self.model.name:
            self.session = Session(raster, self.model, own_legend=self.own_legend)
        return self._predict(Kind.CLASSIFYING, self._drawn_alike(window), None)

    def _drawn_alike(self, window: Window) -> Window:
        """The area, and all that was classified before in another detail: a map is drawn in one."""
        session, detail = self.session, self.detail if self.model.detail else PLAIN
        if session.detail != detail:
            window, session.detail = bounding([window, session.mapped]), detail
        return window

    def refresh(self) -> list[Effect]:
        """Bring the map up to date with the marks, and with what was learnt: there what the user sees first."""
        session = self.session
        if session is None or not session.is_behind or self.link is not Link.ONLINE or self.lacks_model:
            return []
        if self.work is not None and (self.work.kind in WAITED_FOR or self.work.cancelling):
            return []  # `done` or `failed` comes back to it
        if not session.stale.is_empty:
            return self._predict(Kind.RENEWING, session.stale, None)
        seen = intersection(self.visible(), session.mapped)
        if session.shown.network != session.history.network and not session.is_fresh(seen):
            return self._predict(Kind.REFINING, seen, session.shown)
        return self._predict(Kind.REFINING, session.mapped, session.shown)

    def cancel(self) -> list[Effect]:
        if self.work is None or self.work.cancelling:
            return []
        self.work = replace(self.work, cancelling=True)
        return [CancelWork()]

    def _refresh_if_live(self) -> list[Effect]:
        return self.refresh() if self.live else []

    def _predict(self, kind: Kind, window: Window, shown: Optional[Snapshot]) -> list[Effect]:
        session = self.session
        request = Predict(self._next_job(), session.subject, session.now, window, shown, session.drawn_in)
        return self._begin(kind, request, window)

    def _begin(self, kind: Kind, request: ServerRequest, window: Window = NOTHING) -> list[Effect]:
        self.work = Work(request.job, kind, window, request.now, self._clock())
        return [Ask(request)]

    def _next_job(self) -> int:
        self._jobs += 1
        return self._jobs

    # ---- what comes back -------------------------------------------------------------------------------------------

    def described(self, job: int, info: RasterInfo) -> list[Effect]:
        """The raster can be used. The first time, its layers are made; the server is not heard before `made`."""
        if not self._is_current(job):
            return []
        self.session.info = info
        return [] if self.session.is_kept else [CreateLayers()]

    def made(self, session: Session, why_not: Optional[TerrafineError]) -> list[Effect]:
        """The layers of a session are there, or cannot be; those of an earlier one nobody misses."""
        session.is_kept = why_not is None
        if why_not is None or session is not self.session:
            return []
        self.session = self.work = None
        return [CancelWork(), told(why_not)]

    def warned(self, job: int, warnings: tuple[str, ...]) -> list[Effect]:
        return [Tell(warning_in_users_words(warning)) for warning in warnings]

    def progressed(self, job: int, progress: Progress) -> list[Effect]:
        if self.work is not None and self._is_current(job):
            self.work = replace(self.work, progress=progress)
        return []

    def patched(self, job: int, patch: Patch) -> list[Effect]:
        """A finished part of the map; one that belongs to overtaken work is stale and dropped."""
        if self.work is None or not self._is_current(job):
            return []
        self.work = replace(self.work, found=self.work.found or bool(patch.valid.any()))
        if self.session.mapped.is_empty:
            self.session.shown = self.work.now
        self.session.mapped = bounding([self.session.mapped, patch.window])
        return [ShowPatch(patch)]

    def done(self, job: int) -> list[Effect]:
        """A part of the map is there, or a map of the uncertainty."""
        if not self._is_current(job):
            return []
        work = self._end()
        if work.kind is Kind.MEASURING:
            return [ShowMap(), *self._afterwards(work)]
        since = self.session.shown
        self.session.take(work)
        self.seconds = self._clock() - work.since
        return [ShowMap(), *_nothing_there(work), *self._afterwards(work, since)]

    def advised(self, job: int, advice: Advice) -> list[Effect]:
        """What the last marks suggest: to go on marking, or to learn."""
        if not self._is_current(job):
            return []
        work, self.advice = self._end(), advice
        return self._afterwards(work)

    def failed(self, job: int, error: TerrafineError) -> list[Effect]:
        """Work ended early: cancelled, overtaken or gone wrong. What has arrived of it stays in the map."""
        if isinstance(error, ConnectionFailed):
            return self.connection_failed(error)
        if not self._is_current(job):
            return []
        work = self._end()
        if not self.session.is_kept:
            self.session = None  # nothing was made for it yet
            return [] if isinstance(error, Cancelled) else [told(error)]
        if isinstance(error, NotFound) and self.lacks_model:
            return [_model_missing(self.session.model)]
        if isinstance(error, NotFound) and self.session.history.network.weights:
            return self.weights_lost()
        if work.kind is Kind.ADVISING:
            return self._afterwards(work)
        if not isinstance(error, (Cancelled, Superseded)):
            return [ShowMap(), told(error)]
        changed_since = self.session.log.revision != work.now.revision
        return [ShowMap(), *(self._refresh_if_live() if changed_since else [])]

    def model_missing(self) -> list[Effect]:
        """What is said where the server cannot go on with the map."""
        return [_model_missing(self.session.model)] if self.link is Link.ONLINE and self.lacks_model else []

    @abstractmethod
    def connection_failed(self, error: TerrafineError) -> list[Effect]:
        """See link/events.py."""

    @abstractmethod
    def weights_lost(self) -> list[Effect]:
        """See learn/events.py."""

    def _afterwards(self, work: Work, since: Optional[Snapshot] = None) -> list[Effect]:
        """What is worth doing next: follow newer marks, advise on those of a moment ago, rank what is left to see."""
        session = self.session
        effects = self._refresh_if_live()
        if effects or self.link is not Link.ONLINE:
            return effects
        if work.kind is Kind.REFINING and since is not None and len(since.marks) < len(session.log.marks):
            return self._begin(Kind.ADVISING, Advise(self._next_job(), session.subject, session.now, since.revision))
        if session.review is not None and session.review.revision != session.log.revision:
            return self._rank()
        return []

    def _rank(self) -> list[Effect]:
        session, review = self.session, self.session.review
        request = RankPatches(self._next_job(), session.subject, session.now, review.area, review.options)
        return self._begin(Kind.RANKING, request)

    def _end(self) -> Work:
        """The work under way, which is over."""
        work, self.work = self.work, None
        if work is None:
            raise RuntimeError("only what is current ends")
        return work

    def _is_current(self, job: int) -> bool:
        return self.work is not None and self.work.job == job and self.session is not None


def _nothing_there(work: Work) -> list[Effect]:
    """What is said of an area that was classified and is as empty as before."""
    if work.kind is not Kind.CLASSIFYING or work.found:
        return []
    hint = tr("Choose another area, or look at the image's nodata value in its properties.")
    return [Tell(tr("Nothing was classified: the image has no values there."), hint)]


def _model_missing(model: ModelSpec) -> Tell:
    return Tell(
        tr("The server does not have the model '{name}' that this map is made with.").format(name=model.name),
        tr("Marks are kept. Copy the model's folder to the server and reconnect, or classify with another model."),
    )
