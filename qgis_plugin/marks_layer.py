"""Marks as a GeoPackage layer: everything drawn is in the file at once, whatever becomes of QGIS or the server.

A feature's geometry is the mark's footprint (the pixel of a point, the buffer of a stroke), a valid polygon that any
other tool can use for training; its attribute `vertices` holds what was drawn, in pixel coordinates, and is what the
plugin reads back. The order of feature ids is the order of drawing.
"""

from __future__ import annotations

import contextlib
import math
import sqlite3
from pathlib import Path
from typing import Sequence

from osgeo import gdal, ogr, osr
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsVectorLayer,
)

from terrafine.qgis_plugin.placement import Placement
from terrafine.qgis_plugin.styles import marks_renderer
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.errors import TerrafineError
from terrafine.shared.spec import LandCover

TABLE, KEY = "marks", "fid"
ARC_SEGMENTS = 8  # of a quarter circle at a stroke's ends
COLUMNS = {
    "mark_id": ogr.OFTString,
    "class_id": ogr.OFTInteger,
    "class_name": ogr.OFTString,
    "kind": ogr.OFTString,
    "width_px": ogr.OFTReal,
    "vertices": ogr.OFTString,
}


class MarksLayer:
    """The marks of one session in their GeoPackage, and the layer that shows them."""

    def __init__(self, layer: QgsVectorLayer, placement: Placement, classes: Sequence[LandCover]) -> None:
        self.layer = layer
        self._placement = placement
        self._names = {item.id: item.name for item in classes}
        layer.setReadOnly(True)  # edited with the plugin's tools, which know pixels and undo
        self._ids = {feature["mark_id"]: feature.id() for feature in layer.getFeatures()}  # of removed marks as well

    def marks(self) -> tuple[Annotation, ...]:
        """All marks in the file, oldest first."""
        features = sorted(self.layer.getFeatures(), key=QgsFeature.id)
        return tuple(_mark(feature) for feature in features)

    def apply(self, delta: Delta) -> None:
        """Write a change to the file; raises TerrafineError if the file cannot be written."""
        provider = self.layer.dataProvider()
        gone = [self._ids[mark_id] for mark_id in delta.removed]
        if gone and not provider.deleteFeatures(gone):
            raise _unwritable(provider.error().summary())
        added, features = provider.addFeatures([self._feature(mark) for mark in delta.added])
        if not added:
            raise _unwritable(provider.error().summary())
        self._ids.update({feature["mark_id"]: feature.id() for feature in features})
        self.layer.updateExtents()
        self.layer.triggerRepaint()

    def move_to(self, folder: Path) -> list[Path]:
        """Work on a copy in another folder from now on; returns the file left behind. Raises TerrafineError."""
        old = Path(self.layer.source().split("|")[0])
        new = folder / old.name
        try:
            _copy_database(old, new)
        except (OSError, sqlite3.Error) as error:
            raise _unwritable(str(error)) from error
        self.layer.setDataSource(f"{new}|layername={TABLE}", self.layer.name(), "ogr")
        return [old, *(old.with_name(old.name + journal) for journal in ("-wal", "-shm"))]

    def _feature(self, mark: Annotation) -> QgsFeature:
        feature = QgsFeature(self.layer.fields())
        vertices = ", ".join(f"{x!r} {y!r}" for x, y in mark.vertices)
        values = (mark.id, mark.class_id, self._names.get(mark.class_id, ""), mark.kind, mark.width_px, vertices)
        for column, value in zip(COLUMNS, values):
            feature[column] = value
        if mark.id in self._ids:
            feature[KEY] = self._ids[mark.id]  # an undo puts it back at its place in the order
        feature.setGeometry(_placed(_footprint(mark), self._placement))
        return feature


def create_marks_file(path: Path, crs: QgsCoordinateReferenceSystem) -> None:
    """Make an empty GeoPackage for marks; raises TerrafineError if that fails."""
    try:
        file = gdal.GetDriverByName("GPKG").Create(str(path), 0, 0, 0, gdal.GDT_Unknown)
    except RuntimeError:  # where another plugin has switched GDAL's exceptions on
        file = None
    if file is None:
        raise _unwritable(gdal.GetLastErrorMsg())
    reference = osr.SpatialReference(crs.toWkt()) if crs.isValid() else None
    table = file.CreateLayer(TABLE, reference, ogr.wkbPolygon)
    for name, kind in COLUMNS.items():
        table.CreateField(ogr.FieldDefn(name, kind))


def open_marks_layer(path: Path, name: str, classes: Sequence[LandCover]) -> QgsVectorLayer:
    """The styled layer of a GeoPackage of marks."""
    layer = QgsVectorLayer(f"{path}|layername={TABLE}", name, "ogr")
    layer.setRenderer(marks_renderer(classes))
    return layer


def _copy_database(old: Path, new: Path) -> None:
    """Copy a GeoPackage that is open: SQLite sees to what is in its journal still."""
    with contextlib.closing(sqlite3.connect(old)) as source, contextlib.closing(sqlite3.connect(new)) as target:
        source.backup(target)


def _mark(feature: QgsFeature) -> Annotation:
    pairs = (pair.split() for pair in feature["vertices"].split(","))
    vertices = tuple((float(x), float(y)) for x, y in pairs)
    return Annotation(feature["mark_id"], feature["kind"], vertices, feature["class_id"], feature["width_px"])


def _footprint(mark: Annotation) -> QgsGeometry:
    """The marked area in pixel coordinates."""
    if mark.kind == "point":
        col, row = (math.floor(value) for value in mark.vertices[0])
        square = [(col, row), (col + 1, row), (col + 1, row + 1), (col, row + 1)]
        return QgsGeometry.fromPolygonXY([[QgsPointXY(*corner) for corner in square]])
    points = [QgsPointXY(x, y) for x, y in mark.vertices]
    if mark.kind == "polygon":
        return QgsGeometry.fromPolygonXY([points])
    line = QgsGeometry.fromPolylineXY(points) if len(set(mark.vertices)) > 1 else QgsGeometry.fromPointXY(points[0])
    return line.buffer(max(mark.width_px, 1.0) / 2, ARC_SEGMENTS)


def _placed(footprint: QgsGeometry, placement: Placement) -> QgsGeometry:
    """A footprint in the raster's CRS."""
    rings = [
        [QgsPointXY(*placement.to_crs(point.x(), point.y())) for point in ring] for ring in footprint.asPolygon()
    ]
    return QgsGeometry.fromPolygonXY(rings)


def _unwritable(why: str) -> TerrafineError:
    return TerrafineError(
        f"The marks could not be saved: {why}.", "Check that the project's folder can be written and has space left."
    )
