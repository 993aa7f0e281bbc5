from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from terrafine.qgis_plugin.finish.borders import NO_CLASS
from terrafine.qgis_plugin.finish.majority import majority


def slow(classes: np.ndarray, radius: int) -> np.ndarray:
    result = classes.copy()
    for row, col in np.argwhere(classes != NO_CLASS):
        around = classes[max(0, row - radius) : row + radius + 1, max(0, col - radius) : col + radius + 1]
        votes = Counter(around[around != NO_CLASS].tolist())
        own, most = votes[classes[row, col]], max(votes.values())
        if own < most:
            result[row, col] = min(class_id for class_id, count in votes.items() if count == most)
    return result


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_each_pixel_takes_the_class_that_a_count_around_it_finds(radius):
    classes = np.random.default_rng(radius).choice([NO_CLASS, 0, 3, 9], (15, 11)).astype(np.int32)
    np.testing.assert_array_equal(majority(classes, radius), slow(classes, radius))
