"""What the canvas shows of an object that is being found: the box, the outline, and the clicks."""

from __future__ import annotations

from typing import Optional, Sequence

from qgis.core import QgsGeometry, QgsPointXY, QgsWkbTypes
from qgis.gui import QgsMapCanvas, QgsRubberBand
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor

from terrafine.qgis_plugin.marks.outline_tools import FILL_ALPHA, RIM_ALPHA, RIM_WIDTH

INSIDE, OUTSIDE = QColor("#1f8a70"), QColor("#c0392b")
CLICK_SIZE = 9  # screen pixels


class Bands:
    def __init__(self, canvas: QgsMapCanvas) -> None:
        self._canvas = canvas
        self._shown: dict[str, QgsRubberBand] = {}

    def show_frame(self, corners: Sequence[QgsPointXY], color: QColor) -> None:
        """The box: a dashed rim."""
        band = self._band("frame", QgsWkbTypes.GeometryType.PolygonGeometry)
        band.setStrokeColor(color)
        band.setFillColor(QColor(0, 0, 0, 0))
        band.setLineStyle(Qt.PenStyle.DashLine)
        band.setToGeometry(QgsGeometry.fromPolygonXY([list(corners)]), None)

    def show_outline(self, ring: Sequence[QgsPointXY], color: QColor) -> None:
        """The object, filled with its class's colour; an empty ring shows none."""
        band = self._band("outline", QgsWkbTypes.GeometryType.PolygonGeometry)
        rim, fill = QColor(color), QColor(color)
        rim.setAlpha(RIM_ALPHA)
        fill.setAlpha(FILL_ALPHA)
        band.setStrokeColor(rim)
        band.setFillColor(fill)
        band.setWidth(RIM_WIDTH)
        band.setToGeometry(QgsGeometry.fromPolygonXY([list(ring)]), None)

    def show_clicks(self, clicks: Sequence[tuple[bool, QgsPointXY]]) -> None:
        """Circles inside the object, crosses beside it."""
        for name, wanted, icon in (
            ("inside", True, QgsRubberBand.IconType.ICON_CIRCLE),
            ("outside", False, QgsRubberBand.IconType.ICON_X),
        ):
            band = self._band(name, QgsWkbTypes.GeometryType.PointGeometry)
            band.reset(QgsWkbTypes.GeometryType.PointGeometry)
            band.setIcon(icon)
            band.setIconSize(CLICK_SIZE)
            band.setStrokeColor(INSIDE if wanted else OUTSIDE)
            band.setWidth(RIM_WIDTH)
            for is_inside, point in clicks:
                if is_inside is wanted:
                    band.addPoint(point)

    def clear(self) -> None:
        for band in self._shown.values():
            self._canvas.scene().removeItem(band)
        self._shown = {}

    def geometry(self, name: str) -> Optional[QgsGeometry]:
        """What is shown as "frame", "outline", "inside" or "outside", on the map."""
        return self._shown[name].asGeometry() if name in self._shown else None

    def _band(self, name: str, kind: QgsWkbTypes.GeometryType) -> QgsRubberBand:
        if name not in self._shown:
            self._shown[name] = QgsRubberBand(self._canvas, kind)
        return self._shown[name]
