"""The GeoPackage of marks: how it waits for the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from osgeo import gdal
from qgis.core import QgsCoordinateReferenceSystem, QgsFeature, QgsSingleSymbolRenderer, QgsSymbol, QgsWkbTypes

from terrafine.qgis_plugin.marks.file import MARKS, SYNCHRONOUS, create_marks_file, open_table, opened_for

pytestmark = pytest.mark.qgis


def test_a_file_that_is_opened_for_marks_waits_no_longer_than_that():
    with opened_for():
        assert gdal.GetThreadLocalConfigOption(SYNCHRONOUS) == "NORMAL"
    assert gdal.GetThreadLocalConfigOption(SYNCHRONOUS) is None


def test_what_was_written_without_waiting_is_there_for_another_reader_at_once(qgis_app, tmp_path: Path):
    path = tmp_path / "marks.gpkg"
    create_marks_file(path, QgsCoordinateReferenceSystem("EPSG:32640"))
    symbol = QgsSymbol.defaultSymbol(QgsWkbTypes.GeometryType.PolygonGeometry)
    layer = open_table(path, MARKS, "marks", QgsSingleSymbolRenderer(symbol))
    feature = QgsFeature(layer.fields())
    feature["mark_id"] = "m1"
    with opened_for():
        assert layer.dataProvider().addFeatures([feature])[0]
    file = gdal.OpenEx(str(path), gdal.OF_VECTOR)
    assert [row["mark_id"] for row in file.GetLayerByName(MARKS)] == ["m1"]
