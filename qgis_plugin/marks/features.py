"""Features of any vector layer as marks: the class by its name or id, the shapes on the raster's pixels."""

from __future__ import annotations

import uuid
from typing import Any, Iterator, Sequence

from qgis.core import QgsCoordinateTransform, QgsCsException, QgsFeature, QgsGeometry, QgsRectangle, QgsWkbTypes

from terrafine.qgis_plugin.marks.shapes import Shape, Unusable, shapes_of
from terrafine.qgis_plugin.names import shown
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.shared.annotation import Annotation
from terrafine.shared.spec import LandCover

NO_CLASS, OTHER_CLASS = "no class", "other class"  # reasons beside those of shapes.Unusable


class FeatureMarks:
    """Makes marks of features.

    field      holds ids or names of `classes`
    to_raster  from the features' CRS to the raster's
    width_px   of lines
    """

    def __init__(
        self,
        field: str,
        to_raster: QgsCoordinateTransform,
        placement: Placement,
        classes: Sequence[LandCover],
        width_px: float,
    ) -> None:
        self._field, self._to_raster, self._placement, self._width_px = field, to_raster, placement, width_px
        self._ids = {str(item.id): item.id for item in classes}
        self._ids.update({_plain(name): item.id for item in classes for name in (shown(item.name), item.name)})

    def of(self, feature: QgsFeature) -> list[Annotation]:
        """One mark for each part that lies on the raster; raises Unusable, also where there is none of these classes.

        Polygons with holes are cut apart, for a mark has none.
        """
        class_id = self._class_of(feature[self._field])
        widths = {"stroke": self._width_px}
        return [
            Annotation(str(uuid.uuid4()), kind, vertices, class_id, widths.get(kind, 0.0))
            for kind, vertices in self._shapes(feature)
        ]

    def _class_of(self, value: Any) -> int:
        text = _plain(value)
        if text in ("", "null", "none"):
            raise Unusable(NO_CLASS)
        if text not in self._ids:
            raise Unusable(OTHER_CLASS)
        return self._ids[text]

    def _shapes(self, feature: QgsFeature) -> list[Shape]:
        geometry, shapes, is_outside = QgsGeometry(feature.geometry()), [], False
        if geometry.isNull():
            raise Unusable("empty")
        try:
            geometry.transform(self._to_raster)
        except QgsCsException as error:
            raise Unusable("outside") from error
        for piece in _pieces(geometry):
            try:
                shapes += shapes_of(piece, self._placement)
            except Unusable as error:
                if error.reason != "outside":
                    raise
                is_outside = True
        if not shapes:
            raise Unusable("outside" if is_outside else "empty")
        return shapes


def _plain(value: Any) -> str:
    """What is compared, whatever the field's type: 2.0 is 2, and case does not matter."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip().casefold()


def _pieces(geometry: QgsGeometry) -> Iterator[QgsGeometry]:
    for part in geometry.asGeometryCollection():
        yield from _without_holes(part)


def _without_holes(part: QgsGeometry) -> Iterator[QgsGeometry]:
    """A polygon with holes in pieces, cut through the middle of a hole again and again; everything else as it is."""
    rings = part.asPolygon() if part.type() == QgsWkbTypes.GeometryType.PolygonGeometry else []
    if len(rings) < 2:
        yield part
        return
    box, middle = part.boundingBox(), QgsGeometry.fromPolygonXY([rings[1]]).boundingBox().center().x()
    for left, right in ((box.xMinimum(), middle), (middle, box.xMaximum())):
        half = part.clipped(QgsRectangle(left, box.yMinimum(), right, box.yMaximum()))
        for piece in half.asGeometryCollection():
            if piece.type() == QgsWkbTypes.GeometryType.PolygonGeometry:
                yield from _without_holes(piece)
