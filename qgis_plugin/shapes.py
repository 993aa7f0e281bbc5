"""The shapes of marks: what is drawn, in pixel coordinates, and the area that QGIS shows, in the raster's CRS."""

from __future__ import annotations

import math

from qgis.core import QgsGeometry, QgsPointXY

from terrafine.qgis_plugin.placement import Placement
from terrafine.shared.annotation import Annotation

ARC_SEGMENTS = 8  # of a quarter circle at a stroke's ends


def footprint(mark: Annotation) -> QgsGeometry:
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


def placed(shape: QgsGeometry, placement: Placement) -> QgsGeometry:
    """A footprint in the raster's CRS."""
    rings = [[QgsPointXY(*placement.to_crs(point.x(), point.y())) for point in ring] for ring in shape.asPolygon()]
    return QgsGeometry.fromPolygonXY(rings)
