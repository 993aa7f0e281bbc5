"""Fields, rows, outlines and styles of the layers that finish a map."""

from __future__ import annotations

from typing import Any, Iterable, Optional, Sequence

from qgis.core import (
    Qgis,
    QgsCategorizedSymbolRenderer,
    QgsFeature,
    QgsFeatureSink,
    QgsField,
    QgsFields,
    QgsFillSymbol,
    QgsGeometry,
    QgsPointXY,
    QgsRendererCategory,
)
from qgis.PyQt.QtCore import QMetaType, QVariant

from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.shared.errors import TerrafineError
from terrafine.shared.geo import Window
from terrafine.shared.spec import LandCover

Row = tuple[Sequence[Any], Optional[QgsGeometry]]

KINDS = {int: QMetaType.Type.Int, float: QMetaType.Type.Double, str: QMetaType.Type.QString}
PERCENT_DIGITS, HECTARE_DIGITS, SHARE_DIGITS = 2, 4, 6  # as far as anybody reads them: a square metre, say
FIRST_WITH_META_TYPES = 33800  # before it, fields had Qt 5's own types, which Qt 6 does not know


def fields(**kinds: type) -> QgsFields:
    """Fields by name: int, float or str."""
    made = QgsFields()
    for name, kind in kinds.items():
        made.append(field(name, kind))
    return made


def field(name: str, kind: type) -> QgsField:
    """A field of int, float or str."""
    if Qgis.QGIS_VERSION_INT >= FIRST_WITH_META_TYPES:
        return QgsField(name, KINDS[kind])
    return QgsField(name, QVariant.Type(int(KINDS[kind])))


def write_rows(sink: QgsFeatureSink, columns: QgsFields, rows: Iterable[Row]) -> None:
    """Write attributes and geometry of each row; raises TerrafineError if that fails."""
    for attributes, geometry in rows:
        feature = QgsFeature(columns)
        feature.setAttributes(list(attributes))
        if geometry is not None:
            feature.setGeometry(geometry)
        if not sink.addFeature(feature, QgsFeatureSink.Flag.FastInsert):
            raise TerrafineError(
                f"The result could not be saved: {sink.lastError()}.", "Check that there is space left on the disk."
            )


def outline(window: Window, placement: Placement) -> QgsGeometry:
    """A window of pixels as a polygon in the raster's CRS."""
    left, top, right, bottom = window.col, window.row, window.col_end, window.row_end
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return QgsGeometry.fromPolygonXY([[QgsPointXY(*placement.to_crs(*corner)) for corner in corners]])


def polygons_renderer(classes: Sequence[LandCover]) -> QgsCategorizedSymbolRenderer:
    """Polygons in their class's colour, with borders that do not compete with it."""
    categories = [
        QgsRendererCategory(
            item.id,
            QgsFillSymbol.createSimple({"color": item.color, "outline_color": "#55000000", "outline_width": "0.1"}),
            item.name,
        )
        for item in classes
    ]
    return QgsCategorizedSymbolRenderer("class_id", categories)
