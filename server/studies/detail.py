"""Ways to draw a map with one network: at one scale or another, and from coarse to fine (Huynh et al. 2021)."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from terrafine.models import metrics
from terrafine.models.cuda import download
from terrafine.models.normalise import to_unit
from terrafine.server.engine.detail import runner_of
from terrafine.server.engine.session import Session
from terrafine.server.engine.tile_runner import TileRunner
from terrafine.server.engine.work import Work
from terrafine.server.evaluation import boundaries, crf
from terrafine.server.evaluation.refinement import Subject, session_of
from terrafine.server.rasters.tiling import coarser
from terrafine.server.studies.task import Measured, Task
from terrafine.shared.errors import ConfigError
from terrafine.shared.geo import Window
from terrafine.shared.spec import FAST, FINE, NODATA_CLASS, PLAIN

RADII = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0)
DOWNSAMPLED, CLOSE = 2.0, 0.5  # model pixels a pixel
Classes = NDArray[np.uint8]
Draw = Callable[[Session, Window], Tensor]  # logits


def measure(task: Task) -> Measured:
    """The accuracy within so many pixels of a boundary; figures are means over the rasters, but for the pooled IoU."""
    if task.row.way not in WAYS:
        raise ConfigError(f"There is no way '{task.row.way}' to draw a map.", f"There are: {', '.join(WAYS)}.")
    pooled = np.zeros((len(task.classes),) * 2, np.int64)
    curves, edges, seconds = [], [], 0.0
    for index, subject in enumerate(task.subjects()):
        truth, drawn, took = _drawn(task, subject)
        pooled += metrics.confusion(truth, drawn, len(task.classes))
        curves.append(boundaries.accuracy_within(truth, drawn, RADII))
        edges.append(boundaries.mean_boundary_accuracy(truth, drawn, task.counted))
        seconds += took
        task.tick(index + 1, len(task.images))
    figures = {"mIoU %": 100 * metrics.mean_iou(pooled, task.counted), "mBA %": 100 * float(np.mean(edges))}
    by_class = zip(task.classes, metrics.iou(pooled)[: task.counted], pooled.sum(1))
    figures.update({f"IoU {name} %": 100 * float(value) for name, value, there in by_class if there})
    return Measured(list(RADII), {"accuracy": list(np.mean(curves, 0))}, {**figures, "seconds": seconds})


def _drawn(task: Task, subject: Subject) -> tuple[Classes, Classes, float]:
    """The truth, the map, and the seconds that it took."""
    session = session_of(subject, task.predictor)
    whole = session.info.grid.window
    valid = session.source.read(whole).valid
    started = time.perf_counter()
    classes = download(session.legend.classified(WAYS[task.row.way](session, whole)))
    took = time.perf_counter() - started
    session.close()
    truth = np.where(valid, subject.truth, np.uint8(metrics.VOID))
    return truth, np.where(valid, classes, np.uint8(NODATA_CLASS)), took


def _in_detail(detail: str) -> Draw:
    return lambda session, whole: runner_of(session, Work(), detail).logits(whole)


def _scaled(factor: float) -> Draw:
    return lambda session, whole: TileRunner(session, Work(), lattice=coarser(session.tiling, factor)).logits(whole)


def _sharpened(draw: Draw) -> Draw:
    def sharpened(session: Session, whole: Window) -> Tensor:
        image = to_unit(session.source.read(whole).array, session.info)
        return torch.from_numpy(crf.refined(download(draw(session, whole)), image, session.spec.temperature))

    return sharpened


WAYS: dict[str, Draw] = {
    "downsample": _scaled(DOWNSAMPLED),
    "downsample, CRF": _sharpened(_scaled(DOWNSAMPLED)),
    "patches": _in_detail(PLAIN),
    "patches, CRF": _sharpened(_in_detail(PLAIN)),
    "close patches": _scaled(CLOSE),
    FAST: _in_detail(FAST),
    FINE: _in_detail(FINE),
}
