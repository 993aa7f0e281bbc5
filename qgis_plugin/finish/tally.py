"""How much there is of each class."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from terrafine.qgis_plugin.finish.borders import NO_CLASS


class Tally:
    """Pixels and square metres by class id, added up block by block."""

    def __init__(self) -> None:
        self.pixels: dict[int, int] = defaultdict(int)
        self.area_m2: dict[int, float] = defaultdict(float)

    def add(self, classes: np.ndarray, row_areas_m2: np.ndarray) -> None:
        """A block of class ids, int32 (rows, columns), and the area of a pixel in each of its rows."""
        ids, place = np.unique(classes, return_inverse=True)
        cell = place.reshape(classes.shape) + len(ids) * np.arange(len(classes))[:, np.newaxis]
        by_row = np.bincount(cell.ravel(), minlength=len(ids) * len(classes)).reshape(len(classes), len(ids))
        for class_id, pixels, area in zip(ids.tolist(), by_row.sum(axis=0).tolist(), row_areas_m2 @ by_row):
            if class_id != NO_CLASS:
                self.pixels[class_id] += pixels
                self.area_m2[class_id] += float(area)

    @property
    def classes(self) -> list[int]:
        """The class ids that occur, ascending."""
        return sorted(self.pixels)

    def share(self, class_id: int) -> float:
        """The class's share of the area, 0 … 1."""
        return self.area_m2[class_id] / sum(self.area_m2.values())
