"""Which of a training's validated weights are the best, and when to stop looking for better ones."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from terrafine.models import metrics
from terrafine.models.training.loop import Values
from terrafine.server.training.log import rows_of

AFTER_CLICKS = re.compile(r"(?:miou_(\d+)_clicks|validation_iou_(\d+))")


class Best:
    """The highest area under IoU against clicks so far; what an earlier part of the training logged counts.

    patience  so many validations in a row without a better one end the training
    """

    def __init__(self, log: Path, patience: int) -> None:
        self._patience = patience
        self._area, self._since = -1.0, 0
        logged: dict[int, Values] = defaultdict(dict)
        for step, name, value in rows_of(log):
            logged[step][name] = value
        for values in logged.values():
            self.beats(values)

    def beats(self, values: Values) -> bool:
        """Take note of a step's values: are they those of a validation, and the best?"""
        found = area(values)
        if found < 0:
            return False
        is_best = found > self._area
        self._area, self._since = max(found, self._area), 0 if is_best else self._since + 1
        return is_best

    @property
    def is_final(self) -> bool:
        return self._since >= self._patience > 0


def area(values: Values) -> float:
    """The mean height of IoU against clicks; −1 where the values are none of a validation."""
    matches = ((AFTER_CLICKS.fullmatch(name), value) for name, value in values.items())
    points = sorted((int(match[1] or match[2]), value) for match, value in matches if match)
    if not points:
        return -1.0
    clicks, ious = np.array(points, np.float64).T
    return float(metrics.mean_height(ious, clicks))
