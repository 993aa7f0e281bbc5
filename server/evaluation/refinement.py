"""A raster with its truth under a session's eyes: what QGIS does through the server, in one process."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, TypeVar

import numpy as np
from numpy.typing import NDArray

from terrafine.models.infer import Predictor
from terrafine.models.learning.learn import Relations
from terrafine.models.metrics import VOID
from terrafine.server.engine import advising, engine, learning, ranking, side
from terrafine.server.engine.session import Session
from terrafine.server.rasters import raster_io
from terrafine.server.rasters.pixels import PixelSource
from terrafine.server.training.configuration import DataOptions
from terrafine.server.training.scenes import class_id, read_labels
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.errors import ConfigError
from terrafine.shared.geo import Window, slices
from terrafine.shared.learning import LearnOptions, RankedPatch, RankOptions
from terrafine.shared.messages import Advice, Learnt, PatchesRanked
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.side import SideInformation
from terrafine.shared.spec import NODATA_CLASS, ModelSpec

Classes = NDArray[np.uint8]
Reply = TypeVar("Reply")


@dataclass(frozen=True)
class Subject:
    """A raster with its truth.

    truth    uint8 (rows, columns), classes of the model, VOID where it says nothing
    becomes  what each class of the model is shown as (see Legend); None: as itself
    """

    name: str
    info: RasterInfo
    source: PixelSource
    truth: Classes
    becomes: Optional[tuple[int, ...]] = None


def load_subject(image: Path, labels: Path, spec: ModelSpec, data: DataOptions) -> Subject:
    """A raster file and its labels, in the model's classes; raises ConfigError where they do not go together."""
    raster = raster_io.open_raster(image, spec)
    truth, info = read_labels(labels, spec, data), raster.info
    if truth.shape != info.grid.window.shape:
        raise ConfigError(f"'{labels}' is {truth.shape}, '{image}' {info.grid.window.shape} pixels.")
    if info.grid.gsd_m is None:
        info = dataclasses.replace(info, grid=dataclasses.replace(info.grid, gsd_m=data.gsd_m))
    return Subject(image.stem, info, raster, truth, _becomes(spec, data))


def _becomes(spec: ModelSpec, data: DataOptions) -> Optional[tuple[int, ...]]:
    if not data.others:
        return None
    kept, other = {class_id(spec, name) for name in data.means if name}, class_id(spec, data.others)
    return tuple(entry.id if entry.id in kept else other for entry in spec.classes)


def session_of(subject: Subject, predictor: Predictor) -> Session:
    """A session on the raster, with its legend."""
    session = Session(subject.info, subject.source, predictor)
    if subject.becomes:
        learning.set_legend(session, 0, 1, predictor.spec.classes, subject.becomes)
    return session


class Refinement:
    """A session on a subject, and its map, which follows every change.

    truth    the subject's, VOID where the raster has no data: nobody clicks where nothing is
    map      uint8 (rows, columns) of class ids, NODATA_CLASS where there is no data
    seconds  that the last change took, the map's refreshment included
    """

    def __init__(self, subject: Subject, predictor: Predictor) -> None:
        self.session = session_of(subject, predictor)
        valid = subject.source.read(self.whole).valid
        self.truth = np.where(valid, subject.truth, np.uint8(VOID))
        self.map = np.full(self.truth.shape, NODATA_CLASS, np.uint8)
        self._seen: Optional[int] = None  # the revision that the map shows
        self._refresh(time.perf_counter())

    @property
    def whole(self) -> Window:
        return self.session.info.grid.window

    @property
    def marks(self) -> tuple[Annotation, ...]:
        return self.session.log.marks

    def mark(self, *marks: Annotation) -> None:
        """Add marks as one change."""
        self._change(marks, ())

    def unmark(self, *ids: str) -> None:
        """Remove marks as one change."""
        self._change((), ids)

    def hold(self, marks: Iterable[Annotation]) -> None:
        """Hold exactly these marks, as one change."""
        wanted = {mark.id: mark for mark in marks}
        held = {mark.id for mark in self.marks}
        self._change(
            tuple(mark for name, mark in wanted.items() if name not in held), tuple(sorted(held - wanted.keys()))
        )

    def tell(self, information: SideInformation) -> None:
        """Let the model know this besides marks, and nothing else."""
        started = time.perf_counter()
        side.set_side(self.session, *self._revisions(), information)
        self._refresh(started)

    def learn(self, options: LearnOptions, relations: Optional[Relations] = None) -> Learnt:
        """Retrain on all marks; `relations` is one more loss."""
        started, (base, revision) = time.perf_counter(), self._revisions()
        learnt = _last(learning.learn(self.session, base, revision, options, relations=relations), Learnt)
        self._refresh(started)
        return learnt

    def use_weights(self, name: str) -> None:
        """Go to weights that the session had, "" for the model as it came; the next change refreshes the map."""
        learning.use_weights(self.session, *self._revisions(), name)

    def rank(self, options: RankOptions) -> tuple[RankedPatch, ...]:
        """The patches of the whole raster in the order in which they are proposed."""
        return _last(ranking.rank(self.session, self.whole, options), PatchesRanked).patches

    def advise(self, since: int) -> Advice:
        """What the marks since that revision call for."""
        return _last(advising.advise(self.session, since), Advice)

    def close(self) -> None:
        self.session.close()

    def _revisions(self) -> tuple[int, int]:
        return self.session.log.revision, self.session.log.revision + 1

    def _change(self, added: tuple[Annotation, ...], removed: tuple[str, ...]) -> None:
        started, (base, revision) = time.perf_counter(), self._revisions()
        self.session.change(Delta(base, revision, added, removed))
        self._refresh(started)

    def _refresh(self, started: float) -> None:
        """Write everything into the map that can differ from what it shows."""
        self.map = self.map.copy()
        for reply in engine.predict(self.session, self.whole, self._seen):
            if isinstance(reply, Patch):
                self.map[slices(reply.window, self.whole)] = reply.array[0]
        self._seen = self.session.log.revision
        self.seconds = time.perf_counter() - started


def _last(replies: Iterable[object], kind: type[Reply]) -> Reply:
    """The one reply of that kind, which ends the work."""
    (found,) = [reply for reply in replies if isinstance(reply, kind)]
    return found
