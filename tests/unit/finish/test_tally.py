from __future__ import annotations

import numpy as np
import pytest

from terrafine.qgis_plugin.finish.borders import NO_CLASS
from terrafine.qgis_plugin.finish.tally import Tally


def test_blocks_add_up_to_pixels_areas_and_shares():
    tally = Tally()
    tally.add(np.array([[1, 1, 7], [1, NO_CLASS, 7]], np.int32), np.array([10.0, 20.0]))
    tally.add(np.array([[7, 7]], np.int32), np.array([5.0]))
    assert tally.classes == [1, 7]
    assert tally.pixels == {1: 3, 7: 4}
    assert tally.area_m2 == {1: 40.0, 7: 40.0}
    assert tally.share(7) == pytest.approx(0.5)
