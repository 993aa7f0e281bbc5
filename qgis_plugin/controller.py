"""The plugin's state machine: events in, effects out. No widgets, no layers, no sockets.

    link   OFFLINE → STARTING → CONNECTING → ONLINE → LOST → …          the way to the server
    work   none → CLASSIFYING (a new area) or REFINING (after marks) → none, one at a time

Every event is a method that returns the effects to carry out, in order. Marks belong to the session's log and are
stored before anything is sent, so no failure loses one. While an area is being classified, marks wait for it to finish;
a refinement is overtaken by the next mark. What the map shows is known as a snapshot of the marks it was computed from;
the server is asked for the difference to it.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Optional

from terrafine.qgis_plugin.effects import (
    CancelPredict,
    Connect,
    CreateLayers,
    Disconnect,
    Effect,
    Predict,
    ShowMap,
    ShowPatch,
    Snapshot,
    StartServer,
    StoreLocks,
    StoreMarks,
    Tell,
    told,
)
from terrafine.qgis_plugin.history import Change, History, Verb
from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.servers import Server
from terrafine.qgis_plugin.state import NOTHING, Kind, Link, Session, View, Work
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.errors import Cancelled, ConnectionFailed, NotAllowed, Superseded, TerrafineError
from terrafine.shared.geo import Window, bounding, contains
from terrafine.shared.messages import Progress
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import LandCover, ModelSpec

if TYPE_CHECKING:
    from terrafine.qgis_plugin.raster import RasterFile


class Controller:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.link = Link.OFFLINE
        self.local = False
        self.server = Server("")
        self.will_retry = False  # the server that was lost: it was there, and may come back
        self._is_retrying = False
        self.device = ""
        self.models: tuple[ModelSpec, ...] = ()
        self.model: Optional[ModelSpec] = None
        self.preferred_model = ""  # the one that was used last time
        self.session: Optional[Session] = None
        self.work: Optional[Work] = None
        self.class_id = 0
        self.live = True
        self.seconds: Optional[float] = None
        self._clock = clock
        self._jobs = 0

    def view(self) -> View:
        session = self.session
        history = session.history if session else History(AnnotationLog(), AnnotationLog())
        return View(
            self.link, self.local, self.server.title, self.will_retry,
            self.device, self.models, self.model, self.class_id, self.live, self.work,
            session is not None and session.is_kept, len(session.log.marks) if session else 0,
            history.can_undo, history.can_redo, bool(session and session.is_behind), self.seconds,
        )  # fmt: skip

    # ---- the way to the server -------------------------------------------------------------------------------------

    def start_server(self) -> list[Effect]:
        self.link, self.local, self.will_retry = Link.STARTING, True, False
        return [StartServer()]

    def connect(self, server: Server) -> list[Effect]:
        self.server, self.link, self.local, self.will_retry = server, Link.CONNECTING, False, False
        return [Connect(server)]

    def server_started(self, address: str) -> list[Effect]:
        self.server, self.link = Server(address), Link.CONNECTING
        return [Connect(self.server)]

    def retry(self) -> list[Effect]:
        """See whether a server elsewhere that went away has come back."""
        if self.link is not Link.LOST or not self.will_retry:
            return []
        self.link, self._is_retrying = Link.CONNECTING, True
        return [Connect(self.server)]

    def connected(self, device: str, models: tuple[ModelSpec, ...]) -> list[Effect]:
        self.link, self.device, self.models = Link.ONLINE, device, models
        self._is_retrying = False
        if self.session is None:
            self.choose_model(self.model.name if self.model else self.preferred_model)
        if not models:
            return [Tell(tr("The server has no models."), tr("Add one with its option --models."))]
        return self._refresh_if_live()

    def disconnect(self) -> list[Effect]:
        self.link, self.work, self.will_retry = Link.OFFLINE, None, False
        return [Disconnect()]

    def connection_failed(self, error: TerrafineError) -> list[Effect]:
        """The server cannot be reached, or has gone. What was drawn is in the log and in the GeoPackage."""
        if self.link in (Link.OFFLINE, Link.LOST):
            return []
        was_retrying, self._is_retrying = self._is_retrying, False
        self.will_retry = (self.link is Link.ONLINE and not self.local) or was_retrying
        self.link, self.work = Link.LOST, None
        if isinstance(error, NotAllowed):
            self.will_retry = False  # it would not be let in the next time
        return [Disconnect(), ShowMap(), *([] if self.will_retry and was_retrying else [told(error)])]

    # ---- choices ---------------------------------------------------------------------------------------------------

    def choose_model(self, name: str) -> list[Effect]:
        """Take the model of that name, else the first; without a server the model of the session stays."""
        if self.models:
            self.model = next((model for model in self.models if model.name == name), self.models[0])
            self.choose_class(self.class_id)
        return []

    def choose_class(self, class_id: int) -> list[Effect]:
        """Draw with this class; one that the legend lacks gives the first."""
        self.class_id = class_id if class_id < len(self.legend) else 0
        return []

    @property
    def legend(self) -> tuple[LandCover, ...]:
        return self.model.classes if self.model else ()

    def set_live(self, live: bool) -> list[Effect]:
        self.live = live
        return self._refresh_if_live()

    def activate(self, session: Optional[Session]) -> list[Effect]:
        """Work on another raster or model, or, with None, on none."""
        if session is self.session:
            return []
        stop = self.cancel()
        self.session, self.work, self.seconds = session, None, None
        if session is not None:
            self.model = session.model
            self.choose_class(self.class_id)
        return stop + self._refresh_if_live()

    # ---- marks -----------------------------------------------------------------------------------------------------

    def draw(self, kind: str, vertices: tuple[tuple[float, float], ...], width_px: float = 0.0) -> list[Effect]:
        """A mark of the current class, in the session's raster's pixel coordinates."""
        return self.change(Verb.DRAW, (Annotation(str(uuid.uuid4()), kind, vertices, self.class_id, width_px),))

    def erase(self, ids: tuple[str, ...]) -> list[Effect]:
        return self.change(Verb.ERASE, removed=ids)

    def erase_last(self) -> list[Effect]:
        marks = self.session.log.marks if self.session else ()
        return self.erase(tuple(mark.id for mark in marks[-1:]))

    def lock(self, outline: tuple[tuple[float, float], ...]) -> list[Effect]:
        """Keep a region of the map as it is, whatever is drawn from now on."""
        return self.change(Verb.LOCK, (Annotation(str(uuid.uuid4()), "polygon", outline, 0),))

    def unlock(self, ids: tuple[str, ...]) -> list[Effect]:
        return self.change(Verb.UNLOCK, removed=ids)

    def change(self, verb: Verb, added: tuple[Annotation, ...] = (), removed: tuple[str, ...] = ()) -> list[Effect]:
        """Change marks, or locked regions, as one step; nothing to change is no step."""
        if self.session is None or not (added or removed):
            return []
        return self._changed([self.session.history.do(verb, added, removed)])

    def undo(self) -> list[Effect]:
        return self.go_to(self.session.history.position - 1) if self.session else []

    def redo(self) -> list[Effect]:
        return self.go_to(self.session.history.position + 1) if self.session else []

    def go_to(self, position: int) -> list[Effect]:
        """Undo or redo until so many steps of the history are done."""
        return self._changed(self.session.history.go_to(position)) if self.session else []

    def _changed(self, changes: list[Change]) -> list[Effect]:
        for change in changes:
            self.session.mind(change)
        stores: list[Effect] = [(StoreLocks if change.of_locks else StoreMarks)(change.delta) for change in changes]
        return [*stores, *self._refresh_if_live()] if stores else []

    # ---- work ------------------------------------------------------------------------------------------------------

    def classify(self, raster: RasterFile, window: Window) -> list[Effect]:
        """Classify an area, in a new session unless the current one has this raster and model."""
        if self.link is not Link.ONLINE or self.model is None:
            return [Tell(tr("There is no server to classify with."), tr("Start a local server or connect to one."))]
        if window.is_empty:
            return [Tell(tr("The area does not meet the raster."), tr("Zoom to the raster or choose another area."))]
        session = self.session
        if session is None or session.raster.path != raster.path or session.model.name != self.model.name:
            self.session = Session(raster, self.model)
        return self._start(Kind.CLASSIFYING, window, None)

    def refresh(self) -> list[Effect]:
        """Bring the map up to date with the marks."""
        session = self.session
        if session is None or not session.is_behind or self.link is not Link.ONLINE:
            return []
        if self.work is not None and (self.work.kind is Kind.CLASSIFYING or self.work.cancelling):
            return []  # `done` or `failed` comes back to it
        if not session.stale.is_empty:
            return self._start(Kind.RENEWING, session.stale, None)
        return self._start(Kind.REFINING, session.mapped, session.shown)

    def cancel(self) -> list[Effect]:
        if self.work is None or self.work.cancelling:
            return []
        self.work = replace(self.work, cancelling=True)
        return [CancelPredict()]

    def _refresh_if_live(self) -> list[Effect]:
        return self.refresh() if self.live else []

    def _start(self, kind: Kind, window: Window, shown: Optional[Snapshot]) -> list[Effect]:
        session, self._jobs = self.session, self._jobs + 1
        self.work = Work(self._jobs, kind, window, session.now, self._clock())
        return [
            Predict(self._jobs, session.id, session.model, session.raster, session.info, window, session.now, shown)
        ]

    # ---- what comes back -------------------------------------------------------------------------------------------

    def described(self, job: int, info: RasterInfo) -> list[Effect]:
        """The raster can be used. The first time, its layers are made, before any patch arrives."""
        if not self._is_current(job):
            return []
        known, self.session.info, self.session.is_kept = self.session.is_kept, info, True
        return [] if known else [CreateLayers()]

    def refused(self, error: TerrafineError) -> list[Effect]:
        """The session's layers could not be made."""
        self.session = self.work = None
        return [CancelPredict(), told(error)]

    def warned(self, job: int, warnings: tuple[str, ...]) -> list[Effect]:
        return [Tell(warning) for warning in warnings]

    def progressed(self, job: int, progress: Progress) -> list[Effect]:
        if self.work is not None and self._is_current(job):
            self.work = replace(self.work, progress=progress)
        return []

    def patched(self, job: int, patch: Patch) -> list[Effect]:
        """A finished part of the map; one that belongs to overtaken work is stale and dropped."""
        if not self._is_current(job):
            return []
        if self.session.mapped.is_empty:
            self.session.shown = self.work.marks
        self.session.mapped = bounding([self.session.mapped, patch.window])
        return [ShowPatch(patch)]

    def done(self, job: int) -> list[Effect]:
        if not self._is_current(job):
            return []
        work, session, self.work = self.work, self.session, None
        session.mapped = bounding([session.mapped, work.window])
        if contains(work.window, session.mapped):
            session.shown = work.marks
        if work.kind is Kind.RENEWING and contains(work.window, session.stale):
            session.stale = NOTHING
        self.seconds = self._clock() - work.since
        return [ShowMap(), *self._refresh_if_live()]

    def failed(self, job: int, error: TerrafineError) -> list[Effect]:
        """Work ended early: cancelled, overtaken or gone wrong. What has arrived of it stays in the map."""
        if isinstance(error, ConnectionFailed):
            return self.connection_failed(error)
        if not self._is_current(job):
            return []
        work, self.work = self.work, None
        if not self.session.is_kept:
            self.session = None  # nothing was made for it yet
            return [] if isinstance(error, Cancelled) else [told(error)]
        if not isinstance(error, (Cancelled, Superseded)):
            return [ShowMap(), told(error)]
        drawn_since = self.session.log.revision != work.marks.revision
        return [ShowMap(), *(self._refresh_if_live() if drawn_since else [])]

    def _is_current(self, job: int) -> bool:
        return self.work is not None and self.work.job == job and self.session is not None
