"""Map tools that draw outlines: polygon and rectangle."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsGeometry, QgsPointXY, QgsRectangle, QgsWkbTypes
from qgis.gui import QgsMapCanvas, QgsMapMouseEvent, QgsRubberBand
from qgis.PyQt.QtCore import QPoint, Qt
from qgis.PyQt.QtGui import QColor

from terrafine.qgis_plugin.marks.tools import MarkTool, Surface

FILL_ALPHA, RIM_ALPHA, RIM_WIDTH = 80, 220, 2
LEAST_SIDE = 3  # screen pixels: what is smaller was a click, not a rectangle
LOCKING = QColor("#303030")
Vertices = tuple[tuple[float, float], ...]


class OutlineTool(MarkTool):
    """What polygons and rectangles share: a band on the canvas, and a check of what was drawn."""

    def __init__(self, canvas: QgsMapCanvas, surface: Surface) -> None:
        super().__init__(canvas, surface)
        self._band: Optional[QgsRubberBand] = None

    def deactivate(self) -> None:
        self.abort()
        super().deactivate()

    def abort(self) -> bool:
        if self._band is None:
            return False
        self.canvas().scene().removeItem(self._band)
        self._band = None
        return True

    def _begin(self) -> QgsRubberBand:
        band = QgsRubberBand(self.canvas(), QgsWkbTypes.GeometryType.PolygonGeometry)
        rim, fill = QColor(self._ink()), QColor(self._ink())
        rim.setAlpha(RIM_ALPHA)
        fill.setAlpha(FILL_ALPHA)
        band.setStrokeColor(rim)
        band.setFillColor(fill)
        band.setWidth(RIM_WIDTH)
        self._band = band
        return band

    def _ink(self) -> QColor:
        return self.surface.color()

    def _emit(self, points: list[QgsPointXY]) -> None:
        """Hand over an outline of the map, or say what is wrong with it."""
        pixels = [self._pixel(point) for point in points]
        vertices: Vertices = tuple(dict.fromkeys(pixel for pixel in pixels if pixel is not None))
        shape = QgsGeometry.fromPolygonXY([[QgsPointXY(x, y) for x, y in vertices]])
        if len(vertices) < 3 or not self._meets_raster(shape):
            self.missed.emit()
        elif not shape.isGeosValid():
            self.crossed.emit()
        else:
            self.drawn.emit("polygon", vertices, 0.0)

    def _meets_raster(self, shape: QgsGeometry) -> bool:
        locator = self.surface.locator()
        window = locator.placement.window if locator else None
        return window is not None and shape.boundingBox().intersects(QgsRectangle(0, 0, window.width, window.height))


class PolygonTool(OutlineTool):
    """Click the corners; a right click, a double click or Enter completes it."""

    def __init__(self, canvas: QgsMapCanvas, surface: Surface) -> None:
        super().__init__(canvas, surface)
        self._corners: list[QgsPointXY] = []

    def canvasPressEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        if event.button() == Qt.MouseButton.RightButton:
            self.finish()
        elif event.button() == Qt.MouseButton.LeftButton:
            self._corners.append(event.mapPoint())
            self._show(event.mapPoint())

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        if self._corners:
            self._show(event.mapPoint())

    def canvasDoubleClickEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        self.finish()

    def finish(self) -> None:
        corners = self._corners
        if len(corners) > 2:
            self.abort()
            self._emit(corners)

    def abort(self) -> bool:
        self._corners = []
        return super().abort()

    def take_back(self) -> bool:
        if not self._corners:
            return False
        self._corners.pop()
        if self._corners:
            self._show(self._corners[-1])
        else:
            self.abort()
        return True

    def _show(self, cursor: QgsPointXY) -> None:
        band = self._band or self._begin()
        band.setToGeometry(QgsGeometry.fromPolygonXY([[*self._corners, cursor]]), None)


class LockTool(PolygonTool):
    """A polygon around what is to stay as it is."""

    def _ink(self) -> QColor:
        return LOCKING


class RectangleTool(OutlineTool):
    """Press at one corner, release at the opposite one."""

    def __init__(self, canvas: QgsMapCanvas, surface: Surface) -> None:
        super().__init__(canvas, surface)
        self._start: Optional[QPoint] = None

    def canvasPressEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        if event.button() == Qt.MouseButton.LeftButton:
            self.abort()
            self._start = event.pos()

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        if self._start is not None:
            band = self._band or self._begin()
            band.setToGeometry(QgsGeometry.fromPolygonXY([self._corners(self._start, event.pos())]), None)

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        start, end = self._start, event.pos()
        if start is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self.abort()
        if min(abs(end.x() - start.x()), abs(end.y() - start.y())) >= LEAST_SIDE:
            self._emit(self._corners(start, end))

    def abort(self) -> bool:
        was_drawing, self._start = self._start is not None, None
        return super().abort() or was_drawing

    def _corners(self, start: QPoint, end: QPoint) -> list[QgsPointXY]:
        """Straight on the screen, also where the map is turned."""
        places = (start.x(), start.y()), (end.x(), start.y()), (end.x(), end.y()), (start.x(), end.y())
        return [self.toMapCoordinates(QPoint(x, y)) for x, y in places]
