"""What the controller knows: the session, the work under way, and the view of both that the dock shows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Optional

from terrafine.qgis_plugin.effects import Snapshot
from terrafine.qgis_plugin.history import Change, History
from terrafine.shared.annotation import AnnotationLog, bounds
from terrafine.shared.geo import Window, bounding, intersection
from terrafine.shared.messages import Progress
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import ModelSpec

if TYPE_CHECKING:
    from terrafine.qgis_plugin.raster import RasterFile

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


@dataclass
class Session:
    """One raster and one model being worked on.

    is_kept its layers and files exist
    mapped  the window around everything that was classified
    shown   the marks that the map was computed from
    stale   the window around what was locked, and may have missed changes then
    locks   regions of the map that are kept as they are: polygons, whose class means nothing
    history the steps that led to the marks and locks
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

    def __post_init__(self) -> None:
        self.history = History(self.log, self.locks)

    @property
    def now(self) -> Snapshot:
        return Snapshot(self.log.marks, self.log.revision)

    @property
    def is_behind(self) -> bool:
        """Does the map lack some of the marks?"""
        return not self.mapped.is_empty and (self.shown.revision != self.log.revision or not self.stale.is_empty)

    def mind(self, change: Change) -> None:
        """Remember what has to be computed again because its lock is gone."""
        if change.of_locks:
            freed = bounding([self.stale, *map(bounds, change.gone)])
            self.stale = intersection(freed, self.mapped)


@dataclass(frozen=True)
class Work:
    """What the server is doing. `since` is when the user asked for it, by the controller's clock."""

    job: int
    kind: Kind
    window: Window
    marks: Snapshot
    since: float
    progress: Optional[Progress] = None
    cancelling: bool = False


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
