"""A simulated annotator drives the engine, the same that QGIS drives, and what its clicks changed is counted."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from terrafine.models import metrics
from terrafine.models.encoding import UNMARKED, marked_pixels
from terrafine.models.infer import Predictor
from terrafine.server import engine, raster_io
from terrafine.server.annotator import Annotator
from terrafine.server.pixels import PixelSource
from terrafine.server.session import Session
from terrafine.server.training import read_labels
from terrafine.shared.annotation import AnnotationLog
from terrafine.shared.errors import ConfigError
from terrafine.shared.geo import slices
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import NODATA_CLASS, ModelSpec

Classes = NDArray[np.uint8]


@dataclass(frozen=True)
class Subject:
    """A raster with its truth, uint8 (rows, columns), VOID where it says nothing."""

    name: str
    info: RasterInfo
    source: PixelSource
    truth: Classes


def load_subject(image: Path, labels: Path, spec: ModelSpec, labels_are: str, gsd_m: Optional[float] = None) -> Subject:
    """A raster file and its labels; `gsd_m` is believed where the file does not say."""
    raster = raster_io.open_raster(image, spec)
    truth = read_labels(labels, spec, labels_are)
    info = raster.info
    if truth.shape != info.grid.window.shape:
        raise ConfigError(f"'{labels}' is {truth.shape}, '{image}' {info.grid.window.shape} pixels.")
    if info.grid.gsd_m is None:
        info = dataclasses.replace(info, grid=dataclasses.replace(info.grid, gsd_m=gsd_m))
    return Subject(image.stem, info, raster, truth)


@dataclass(frozen=True)
class Step:
    """The map after so many clicks.

    confusion           of all pixels
    unmarked            of the pixels that carry no mark
    corrected, broken   pixels that the last click made right, or wrong
    obeyed              do all marked pixels carry their class?
    seconds             from the click to the last patch
    """

    clicks: int
    confusion: metrics.Confusion
    unmarked: metrics.Confusion
    corrected: int
    broken: int
    obeyed: bool
    seconds: float


def annotate(
    subject: Subject, predictor: Predictor, clicks: int, annotator: Annotator, rng: np.random.Generator
) -> Iterator[Step]:
    """Classify, then click and refine, `clicks` times; yields the state at the start and after every click.

    Where nothing is wrong any more, the last map is repeated: every raster has the same number of steps.
    """
    session, log = Session(subject.info, subject.source, predictor), AnnotationLog()
    truth, whole = subject.truth, session.info.grid.window
    truth = np.where(subject.source.read(whole).valid, truth, np.uint8(metrics.VOID))  # nobody clicks where nothing is
    before = prediction = np.full(truth.shape, NODATA_CLASS, np.uint8)
    for count in range(clicks + 1):
        click = annotator.click(prediction, truth, len(predictor.spec.classes), rng) if count else None
        started, revision = time.perf_counter(), log.revision
        if click is not None:
            session.change(log.add(click))
        if click is not None or count == 0:
            prediction = _refreshed(before, session, revision if count else None)
        seconds = time.perf_counter() - started
        yield _step(truth, before, prediction, session, seconds)
        before = prediction
    session.close()


def _refreshed(before: Classes, session: Session, changed_since: int | None) -> Classes:
    """The map `before` with everything written into it that the engine sends."""
    after = before.copy()
    whole = session.info.grid.window
    for reply in engine.predict(session, whole, changed_since):
        if isinstance(reply, Patch):
            after[slices(reply.window, whole)] = reply.array[0]
    return after


def _step(truth: Classes, before: Classes, after: Classes, session: Session, seconds: float) -> Step:
    classes = len(session.spec.classes)
    marked = marked_pixels(session.log.marks, session.info.grid.window)
    unmarked = (marked == UNMARKED) | (after == NODATA_CLASS)
    counted = truth != metrics.VOID
    was_right, is_right = (before == truth) & counted, (after == truth) & counted
    return Step(
        clicks=len(session.log.marks),
        confusion=metrics.confusion(truth, after, classes),
        unmarked=metrics.confusion(truth[unmarked], after[unmarked], classes),
        corrected=int((is_right & ~was_right).sum()),
        broken=int((was_right & ~is_right).sum()),
        obeyed=bool((after[~unmarked] == marked[~unmarked]).all()),
        seconds=seconds,
    )


@dataclass(frozen=True)
class Curve:
    """What the clicks did, over all rasters: one value a step, 0 … clicks, of one seed.

    miou, unmarked_miou  from the confusion pooled over the rasters, over the first `counted` classes
    accuracy             of each raster, (rasters, steps)
    """

    miou: NDArray[np.float64]
    unmarked_miou: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    class_iou: NDArray[np.float64]
    corrected: NDArray[np.int64]
    broken: NDArray[np.int64]
    seconds: NDArray[np.float64]
    obeyed: bool


def summarise(runs: Sequence[Sequence[Step]], counted: int) -> Curve:
    """One Curve from the steps of every raster."""
    pooled = [sum(step.confusion for step in column) for column in zip(*runs)]
    unmarked = [sum(step.unmarked for step in column) for column in zip(*runs)]
    return Curve(
        miou=np.array([metrics.mean_iou(matrix, counted) for matrix in pooled]),
        unmarked_miou=np.array([metrics.mean_iou(matrix, counted) for matrix in unmarked]),
        accuracy=np.array([[metrics.accuracy(step.confusion) for step in run] for run in runs]),
        class_iou=np.array([metrics.iou(matrix) for matrix in pooled]),
        corrected=np.array([[step.corrected for step in run[1:]] for run in runs]),
        broken=np.array([[step.broken for step in run[1:]] for run in runs]),
        seconds=np.array([[step.seconds for step in run] for run in runs]),
        obeyed=all(step.obeyed for run in runs for step in run),
    )
