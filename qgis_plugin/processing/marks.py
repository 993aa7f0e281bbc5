"""Marks from any vector layer with a class field: points, lines and polygons, as marks on a raster."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Sequence

from qgis.core import QgsCoordinateTransform, QgsCsException, QgsFeature, QgsGeometry, QgsRectangle, QgsWkbTypes

from terrafine.qgis_plugin.marks.shapes import Unusable, shapes_of
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import ConfigError
from terrafine.shared.spec import LandCover

REASONS = {"empty": "it is empty", "crossed": "its outline crosses itself"}


def marks_of(
    features: Iterable[QgsFeature],
    field: str,
    to_raster: QgsCoordinateTransform,
    placement: Placement,
    classes: Sequence[LandCover],
    width_px: float,
) -> Iterator[Annotation]:
    """One mark for each part of each feature; lines are strokes `width_px` wide, polygons with holes are cut apart.

    `field` holds ids or names of `classes`; features without one, or outside the raster, are left out. Raises
    ConfigError for any other class, and for shapes that cannot be marks.
    """
    for feature in features:
        value = feature[field]
        if str(value) in ("NULL", "None", ""):
            continue
        class_id = _class_id(value, classes)
        for number, (kind, vertices) in enumerate(_shapes(feature, to_raster, placement)):
            width = width_px if kind == "stroke" else 0.0
            yield Annotation(f"{feature.id()}.{number}", kind, vertices, class_id, width)


def _class_id(value: Any, classes: Sequence[LandCover]) -> int:
    """By name or by id, whatever the field's type; 2.0 is 2."""
    known = {str(item.id): item.id for item in classes}
    known.update({item.name.strip().casefold(): item.id for item in classes})
    text = str(int(value) if isinstance(value, float) and value.is_integer() else value).strip().casefold()
    if text in known:
        return known[text]
    names = ", ".join(f"{item.id} {item.name}" for item in classes)
    raise ConfigError(f"'{value}' is no class of the model.", f"Its classes are: {names}.")


def _shapes(
    feature: QgsFeature, to_raster: QgsCoordinateTransform, placement: Placement
) -> Iterator[tuple[str, tuple[tuple[float, float], ...]]]:
    """Kind and vertices of the feature's parts."""
    geometry = QgsGeometry(feature.geometry())
    try:
        geometry.transform(to_raster)
    except QgsCsException as error:
        raise ConfigError(f"The mark {feature.id()} has no place on the raster: {error}.", "Check its CRS.") from error
    for part in geometry.asGeometryCollection():
        for piece in _without_holes(part):
            try:
                yield from shapes_of(piece, placement)
            except Unusable as error:
                if error.reason != "outside":
                    why = f"The mark {feature.id()} cannot be used: {REASONS[error.reason]}."
                    raise ConfigError(why, "Repair it with 'Fix geometries'.") from error


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
