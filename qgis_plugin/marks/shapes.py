"""The shapes of marks: what is drawn, in pixel coordinates, and the area that QGIS shows, in the raster's CRS."""

from __future__ import annotations

import math

from qgis.core import QgsGeometry, QgsPointXY, QgsWkbTypes

from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.shared.annotation import Annotation, bounds
from terrafine.shared.geo import intersects

Shape = tuple[str, tuple[tuple[float, float], ...]]  # kind and vertices of a mark, in pixel coordinates
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


class Unusable(ValueError):
    """A shape that cannot be a mark; `reason` is "empty", "hole", "crossed" or "outside"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def shapes_of(geometry: QgsGeometry, placement: Placement) -> list[Shape]:
    """What to draw for a geometry in the raster's CRS, one for each of its parts; raises Unusable."""
    parts = [] if geometry.isNull() else geometry.asGeometryCollection()
    if not parts:
        raise Unusable("empty")
    return [_shape(part, placement) for part in parts]


def redrawn(mark: Annotation, geometry: QgsGeometry, placement: Placement) -> Shape:
    """What a mark becomes when its footprint becomes a geometry in the raster's CRS; raises Unusable.

    A moved point is a point where its middle lies, a moved stroke the stroke moved; what is bent becomes a polygon.
    """
    kind, vertices = shapes_of(geometry, placement)[0]
    if mark.kind == "point":
        middle = QgsGeometry.fromPolygonXY([[QgsPointXY(x, y) for x, y in vertices]]).centroid().asPoint()
        return "point", ((middle.x(), middle.y()),)
    before = [(point.x(), point.y()) for point in footprint(mark).asPolygon()[0][:-1]]
    shifts = {(round(x - a, 1), round(y - b, 1)) for (x, y), (a, b) in zip(vertices, before)}
    if mark.kind == "stroke" and len(vertices) == len(before) and len(shifts) == 1:
        dx, dy = vertices[0][0] - before[0][0], vertices[0][1] - before[0][1]
        return "stroke", tuple((x + dx, y + dy) for x, y in mark.vertices)
    return kind, vertices


def _shape(part: QgsGeometry, placement: Placement) -> Shape:
    straight = QgsGeometry(part.constGet().segmentize())
    kind, points = _drawn(straight)
    try:
        pixels = [placement.to_pixel(point.x(), point.y()) for point in points]
    except ValueError as error:
        raise Unusable("outside") from error
    if kind == "polygon" and not QgsGeometry.fromPolygonXY([[QgsPointXY(x, y) for x, y in pixels]]).isGeosValid():
        raise Unusable("crossed")
    mark = Annotation("", kind, tuple(pixels), 0)
    if not intersects(bounds(mark), placement.window):
        raise Unusable("outside")
    return kind, mark.vertices


def _drawn(part: QgsGeometry) -> tuple[str, list[QgsPointXY]]:
    """The kind of mark and its points, of a geometry of straight lines."""
    if part.type() == QgsWkbTypes.GeometryType.PointGeometry:
        return "point", [part.asPoint()]
    if part.type() == QgsWkbTypes.GeometryType.LineGeometry:
        return "stroke", part.asPolyline()
    rings = part.asPolygon()
    if len(rings) > 1:
        raise Unusable("hole")
    return "polygon", rings[0][:-1]
