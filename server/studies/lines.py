"""The lines of a study's table and picture: a row's curve with every seed, its spread, and the area under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrafine.server.studies.run import Result
from terrafine.server.studies.study import Study

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A curve of a row: values (seeds, places); shares are in %."""

    name: str
    results: list[Result]
    values: Values

    @property
    def x(self) -> list[float]:
        return self.results[0].x


def lines_of(study: Study, results: Sequence[Result]) -> list[Line]:
    """The lines in the study's order; a row with several curves has several lines."""
    found = []
    for row, of_row in by_row(study, results):
        for curve in study.curves:
            name = row if len(study.curves) == 1 else f"{row}: {curve}"
            found.append(Line(name, of_row, stacked(of_row, curve) * (100 if is_share(curve) else 1)))
    return found


def by_row(study: Study, results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    """The results of each row that has any, in the study's order."""
    grouped = ((row.name, [result for result in results if result.row == row.name]) for row in study.rows)
    return [(name, found) for name, found in grouped if found]


def stacked(results: Sequence[Result], curve: str) -> Values:
    """(seeds, places) of one row's curve."""
    return np.array([result.curves[curve] for result in results])


def deviation(values: Values) -> Values:
    """The sample standard deviation over the seeds, 0 for a single one."""
    return values.std(0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:])


def is_share(curve: str) -> bool:
    return curve.startswith(("miou", "iou", "accuracy"))


def unit(study: Study) -> str:
    """What the study's curves are measured in; those that are no shares have it in their names."""
    if not all(is_share(curve) for curve in study.curves):
        return ", ".join(study.curves)
    if len(study.curves) == 1:
        return f"{_words(study.curves[0])}, %"
    return "mean IoU, %" if all(curve.startswith("miou") for curve in study.curves) else "IoU, %"


def _words(curve: str) -> str:
    return {"miou": "mean IoU"}.get(curve, curve.replace("iou", "IoU of", 1))
