"""What the controller knows: the session, the work under way, and the view of both that the dock shows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Optional

from terrafine.qgis_plugin.history import Change, History
from terrafine.qgis_plugin.look.review import Review
from terrafine.qgis_plugin.requests import Legend, Network, Snapshot, Subject
from terrafine.shared.annotation import AnnotationLog, bounds
from terrafine.shared.geo import Window, bounding, contains, intersection
from terrafine.shared.messages import Advice, Learnt, Progress
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import PLAIN, LandCover, ModelSpec

if TYPE_CHECKING:
    from terrafine.qgis_plugin.rasters.raster import RasterFile

NOTHING = Window(0, 0, 0, 0)


class Link(Enum):
    OFFLINE = "offline"
    STARTING = "starting"
    CONNECTING = "connecting"
    ONLINE = "online"
    LOST = "lost"


class Kind(Enum):
    CLASSIFYING = "classifying"
    REFINING = "refining"
    RENEWING = "renewing"  # what was locked and is free again
    LEARNING = "learning"
    MEASURING = "measuring"  # uncertainty
    RANKING = "ranking"
    ADVISING = "advising"  # in the background: nobody waits for it
    FINDING = "finding"  # an object
    SAVING = "saving"  # a model


WAITED_FOR = (Kind.CLASSIFYING, Kind.LEARNING, Kind.SAVING)  # by new marks; other work they overtake


@dataclass
class Session:
    """One raster and one model being worked on.

    is_kept its layers and files exist
    mapped  the window around everything that was classified
    shown   the marks that the map was computed from
    fresh   the window that was computed last, and for which revision
    stale   the window around what may have missed changes: it was locked, or its network is lost
    locks   regions of the map that are kept as they are: polygons, whose class means nothing
    network the weights and the legend to begin with; `history.network` is what they are now
    history the steps that led to the marks, locks and network
    review  the patches to look at, once they were asked for
    lesson  what came of the last learning
    taught  how many marks that was from
    own_legend  the model's classes are not those that it came with, but the user's
    detail  that the map is drawn in, one of spec.DETAILS
    life    of this object: its revisions are others than those of an earlier opening of the project
    """

    raster: RasterFile
    model: ModelSpec
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    info: Optional[RasterInfo] = None
    log: AnnotationLog = field(default_factory=AnnotationLog)
    locks: AnnotationLog = field(default_factory=AnnotationLog)
    is_kept: bool = False
    mapped: Window = NOTHING
    shown: Snapshot = Snapshot()
    stale: Window = NOTHING
    fresh: tuple[int, Window] = (0, NOTHING)
    network: Optional[Network] = None
    review: Optional[Review] = None
    lesson: Optional[Learnt] = None
    taught: int = 0
    own_legend: bool = False
    detail: str = PLAIN
    life: str = field(default_factory=lambda: str(uuid.uuid4()))

    def __post_init__(self) -> None:
        self.history = History(self.log, self.locks, self.network or Network(legend=Legend.of(self.model)))

    @property
    def now(self) -> Snapshot:
        return Snapshot(self.log.marks, self.log.revision, self.history.network)

    @property
    def subject(self) -> Subject:
        classes = self.model.classes if self.own_legend else ()
        return Subject(self.id, self.model, self.raster, self.info, classes, self.life)

    @property
    def drawn_in(self) -> str:
        """The detail that the server can draw in: of classes that the model did not come with, plain maps alone."""
        is_the_models = not self.own_legend and len(self.history.network.legend.classes) == len(self.model.classes)
        return self.detail if is_the_models else PLAIN

    @property
    def lesson_of_now(self) -> Optional[Learnt]:
        """What came of the learning that led to the network of now; None where it was undone, or never was."""
        is_known = self.lesson is not None and self.lesson.weights == self.history.network.weights
        return self.lesson if is_known else None

    @property
    def is_behind(self) -> bool:
        """Does the map lack some of the marks?"""
        return not self.mapped.is_empty and (self.shown.revision != self.log.revision or not self.stale.is_empty)

    def is_fresh(self, window: Window) -> bool:
        """Does the map of this window follow all that there is?"""
        return window.is_empty or (self.fresh[0] == self.log.revision and contains(self.fresh[1], window))

    def take(self, work: Work) -> None:
        """The map of a piece of work is there."""
        self.mapped = bounding([self.mapped, work.window])
        self.fresh = (work.now.revision, work.window)
        if contains(work.window, self.mapped):
            self.shown = work.now
        if work.kind is Kind.RENEWING and contains(work.window, self.stale):
            self.stale = NOTHING

    def mind(self, change: Change) -> None:
        """Remember what has to be computed again because its lock is gone."""
        if change.of_locks:
            freed = bounding([self.stale, *map(bounds, change.gone)])
            self.stale = intersection(freed, self.mapped)


@dataclass(frozen=True)
class Work:
    """What the server is doing. `since` is when the user asked for it, by the controller's clock; `found` is whether
    any pixel was classified.
    """

    job: int
    kind: Kind
    window: Window
    now: Snapshot  # that it works on
    since: float
    progress: Optional[Progress] = None
    cancelling: bool = False
    found: bool = False


@dataclass(frozen=True)
class View:
    """All that the dock shows of the controller."""

    link: Link
    local: bool
    server: str  # what it is called
    will_retry: bool
    device: str
    models: tuple[ModelSpec, ...]
    model: Optional[ModelSpec]
    class_id: int
    live: bool
    work: Optional[Work]
    has_session: bool
    marks: int
    can_undo: bool
    can_redo: bool
    is_behind: bool
    seconds: Optional[float]  # that the last piece of work took
    legend: tuple[LandCover, ...] = ()
    has_learnt: bool = False
    advice: Optional[Advice] = None
    review: Optional[Review] = None
    lesson: Optional[Learnt] = None
    detail: str = PLAIN
    taught: int = 0  # marks that the lesson is from
