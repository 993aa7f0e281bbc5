"""The analyst's main path: connect, classify, correct, take back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal, osr
from qgis.PyQt.QtCore import Qt

pytestmark = pytest.mark.qgis
SIZE = 160


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A projected RGB raster of 1 m pixels."""
    path = tmp_path / "scène à essayer.v1.tif"
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), SIZE, SIZE, 3, gdal.GDT_Byte)
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(32640)
    dataset.SetProjection(reference.ExportToWkt())
    dataset.SetGeoTransform((326000.0, 1.0, 0.0, 2785000.0, 0.0, -1.0))
    values = np.random.default_rng(1).integers(0, 255, (3, SIZE, SIZE), np.uint8)
    dataset.WriteArray(values)
    return path


def test_a_click_gives_the_marked_pixel_its_class(analyst, scene):
    analyst.start_server()
    analyst.open(scene)
    analyst.choose_model()
    analyst.classify()
    before = analyst.map()
    assert set(np.unique(before)) <= {0, 1, 2}
    wrong = (int(before[40, 50]) + 1) % 3
    analyst.press(analyst.dock.tools["point"])
    analyst.key(Qt.Key.Key_1 + wrong)
    analyst.window.click(analyst.at(50.5, 40.5))
    analyst.settle()
    x, y = analyst.controller.session.log.marks[0].vertices[0]
    assert (int(x), int(y)) == (50, 40)
    assert analyst.map()[40, 50] == wrong
    assert analyst.shown()[40, 50] == wrong
