"""What the server is asked, one frozen dataclass each, with all that the connection's thread has to know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Optional, Union

from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Window
from terrafine.shared.learning import LearnOptions, RankOptions
from terrafine.shared.objects import ObjectGuide
from terrafine.shared.raster import RasterInfo
from terrafine.shared.side import NOWHERE, SideInformation
from terrafine.shared.spec import PLAIN, LandCover, ModelSpec

if TYPE_CHECKING:
    from terrafine.qgis_plugin.rasters.raster import RasterFile

REMOVED = -1
GONE = "#9aa0a6"  # the colour of removed classes, where locked regions and old marks still have them


@dataclass(frozen=True)
class Legend:
    """A session's classes by id, and what each is shown as: itself, another, or REMOVED."""

    classes: tuple[LandCover, ...] = ()
    becomes: tuple[int, ...] = ()

    @staticmethod
    def of(model: ModelSpec) -> Legend:
        """The legend that a model comes with."""
        return Legend(model.classes, tuple(range(len(model.classes))))

    @property
    def shown(self) -> tuple[LandCover, ...]:
        """The classes that the map has."""
        return tuple(entry for entry, target in zip(self.classes, self.becomes) if entry.id == target)

    @property
    def colored(self) -> tuple[LandCover, ...]:
        """All classes as files and layers show them, those of the map first: a merged class looks like its target."""
        gone = (entry for entry, target in zip(self.classes, self.becomes) if entry.id != target)
        return (*self.shown, *(replace(entry, color=self._color(entry)) for entry in gone))

    @property
    def removed(self) -> frozenset[int]:
        """Ids of the classes whose marks do not count."""
        return frozenset(entry.id for entry, target in zip(self.classes, self.becomes) if target == REMOVED)

    def _color(self, entry: LandCover) -> str:
        target = self.becomes[entry.id]
        return GONE if target == REMOVED else self.classes[target].color

    def following(self, newest: Legend) -> Legend:
        """This legend for a server that has `newest`: classes that were added since are removed, for ids never go."""
        classes = self.classes + newest.classes[len(self.classes) :]
        return Legend(classes, self.becomes + (REMOVED,) * (len(classes) - len(self.becomes)))


@dataclass(frozen=True)
class Network:
    """What turns pixels and marks into a map: the server's name for the weights, "" for the model's, the legend, and
    what the model is told besides.
    """

    weights: str = ""
    legend: Legend = Legend()
    side: SideInformation = NOWHERE


@dataclass(frozen=True)
class Snapshot:
    """All that a map is computed from, at one revision."""

    marks: tuple[Annotation, ...] = ()
    revision: int = 0
    network: Network = Network()


@dataclass(frozen=True)
class Subject:
    """The session that a request is about. `info` is None until the raster has been described; `classes` are the
    legend to open it with, none for the model's; `life` differs each time that the session's project is opened.
    """

    session: str
    model: ModelSpec
    raster: RasterFile
    info: Optional[RasterInfo] = None
    classes: tuple[LandCover, ...] = ()
    life: str = ""


@dataclass(frozen=True)
class Predict:
    """Have a window classified as of `now`. With `shown`, only what differs from the map of that snapshot is wanted, in
    the same `detail`, one of spec.DETAILS.
    """

    job: int
    subject: Subject
    now: Snapshot
    window: Window
    shown: Optional[Snapshot] = None
    detail: str = PLAIN


@dataclass(frozen=True)
class Learn:
    """Retrain on the marks; leads to `revision`."""

    job: int
    subject: Subject
    now: Snapshot
    revision: int
    options: LearnOptions


@dataclass(frozen=True)
class MeasureUncertainty:
    """How unsure the map is; one value for each square of `factor` pixels a side."""

    job: int
    subject: Subject
    now: Snapshot
    window: Window
    method: str
    factor: int


@dataclass(frozen=True)
class RankPatches:
    """Where to look next within a window."""

    job: int
    subject: Subject
    now: Snapshot
    window: Window
    options: RankOptions


@dataclass(frozen=True)
class Advise:
    """Do the marks since revision `since` call for more marks, or for learning?"""

    job: int
    subject: Subject
    now: Snapshot
    since: int


@dataclass(frozen=True)
class FindObject:
    """One object, by the model called `finder`."""

    job: int
    subject: Subject
    now: Snapshot
    finder: str
    guide: ObjectGuide


@dataclass(frozen=True)
class SaveModel:
    """Keep what was learnt as a model of the server's."""

    job: int
    subject: Subject
    now: Snapshot
    name: str
    title: str


ServerRequest = Union[Predict, Learn, MeasureUncertainty, RankPatches, Advise, FindObject, SaveModel]
