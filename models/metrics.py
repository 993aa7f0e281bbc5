"""How right a map is, from one confusion matrix: int64 (classes, classes), rows are the truth; and curves of that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

VOID = 255  # a truth pixel that says nothing
Confusion = NDArray[np.int64]


def confusion(truth: NDArray[np.integer], prediction: NDArray[np.integer], classes: int) -> Confusion:
    """Count (truth, prediction) pairs; pixels whose truth or prediction is not a class (VOID, no data) are left out."""
    counted = (truth >= 0) & (truth < classes) & (prediction >= 0) & (prediction < classes)
    pairs = truth[counted].astype(np.int64) * classes + prediction[counted]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def iou(matrix: Confusion) -> NDArray[np.float64]:
    """Intersection over union of each class; NaN for a class that is neither in the truth nor predicted."""
    hits = np.diag(matrix).astype(np.float64)
    union = matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
    return np.divide(hits, union, out=np.full(len(matrix), np.nan), where=union > 0)


def mean_iou(matrix: Confusion, classes: int | None = None) -> float:
    """Mean IoU over the first `classes` classes (all by default) that occur in the truth."""
    counted = slice(0, classes)
    present = matrix.sum(1)[counted] > 0
    return float(iou(matrix)[counted][present].mean()) if present.any() else float("nan")


def mean_height(values: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The area under a curve over its last axis ÷ its width, by the trapezium rule; of a single point, its value."""
    if len(x) < 2:
        return np.asarray(values[..., 0])
    widths = np.diff(x)
    return np.asarray(((values[..., :-1] + values[..., 1:]) / 2 * widths).sum(-1) / widths.sum())


def accuracy(matrix: Confusion) -> float:
    """Share of pixels that are right; NaN where nothing was counted."""
    total = matrix.sum()
    return float(np.trace(matrix) / total) if total else float("nan")
