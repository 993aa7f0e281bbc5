"""Map tools: what they share, the point and the freehand stroke. They emit pixel coordinates of the session's raster.

A tool asks its `Surface` for everything that is not the mouse: where the raster lies, the class's colour, the width.
"""

from __future__ import annotations

import math
from typing import Optional, Protocol

from qgis.core import QgsGeometry, QgsPointXY, QgsWkbTypes
from qgis.gui import QgsMapCanvas, QgsMapMouseEvent, QgsMapTool, QgsRubberBand
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QCursor, QPainter, QPen, QPixmap

from terrafine.qgis_plugin.rasters.placement import Locator
from terrafine.shared.annotation import Annotation

KEEP_WITHIN_PX = 0.25  # raster pixels that a simplified stroke may stray from the hand's
CURSOR_SIDES = (9, 160)  # screen pixels, least and most


class Surface(Protocol):
    """What is drawn on."""

    def locator(self) -> Optional[Locator]: ...

    def marks(self) -> tuple[Annotation, ...]: ...

    def regions(self) -> tuple[Annotation, ...]: ...  # that are locked

    def color(self) -> QColor: ...

    def width_px(self) -> float: ...


class MarkTool(QgsMapTool):
    """Base of the tools.

    drawn    kind, vertices ((x, y), …), width_px
    erased   ids of marks, or of locked regions
    picked   x, y: the user points at a pixel
    missed   the mouse was used where there is no raster
    crossed  an outline that crosses itself was drawn
    """

    drawn = pyqtSignal(str, object, float)
    erased = pyqtSignal(object)
    picked = pyqtSignal(float, float)
    missed = pyqtSignal()
    crossed = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, surface: Surface) -> None:
        super().__init__(canvas)
        self.surface = surface
        self.setCursor(QCursor(Qt.CursorShape.CrossCursor))

    def abort(self) -> bool:
        """Give up what is being drawn; False if nothing is."""
        return False

    def take_back(self) -> bool:
        """Remove the last vertex of what is being drawn; False if nothing is."""
        return False

    def finish(self) -> None:
        """Complete what is being drawn."""

    def _pixel(self, point: QgsPointXY) -> Optional[tuple[float, float]]:
        locator = self.surface.locator()
        try:
            return locator.pixel(point) if locator else None
        except ValueError:
            return None

    def _inside(self, pixel: Optional[tuple[float, float]]) -> bool:
        locator = self.surface.locator()
        if pixel is None or locator is None:
            return False
        raster = locator.placement.window
        return 0 <= pixel[0] < raster.width and 0 <= pixel[1] < raster.height

    def _screen_per_pixel(self) -> float:
        """Screen pixels across one raster pixel, in the middle of the view; 1 where that cannot be told."""
        locator, center = self.surface.locator(), self.canvas().center()
        try:
            x, y = locator.pixel(center) if locator else (math.nan, math.nan)
            across = locator.point(x + 1, y).distance(locator.point(x, y)) if locator else math.nan
        except ValueError:
            return 1.0
        return across / self.canvas().mapUnitsPerPixel() if math.isfinite(across) and across > 0 else 1.0


class PointTool(MarkTool):
    """A click marks one point."""

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        if event.button() != Qt.MouseButton.LeftButton:
            return
        pixel = self._pixel(event.mapPoint())
        if self._inside(pixel):
            self.drawn.emit("point", (pixel,), 0.0)
        else:
            self.missed.emit()


class StrokeTool(MarkTool):
    """Press, draw, release."""

    def __init__(self, canvas: QgsMapCanvas, surface: Surface) -> None:
        super().__init__(canvas, surface)
        self._band: Optional[QgsRubberBand] = None
        self._vertices: list[tuple[float, float]] = []

    def activate(self) -> None:
        super().activate()
        self.canvas().extentsChanged.connect(self.show_width)
        self.show_width()

    def deactivate(self) -> None:
        self.abort()
        self.canvas().extentsChanged.disconnect(self.show_width)
        super().deactivate()

    def show_width(self) -> None:
        """Make the cursor a circle as wide as the stroke will be."""
        side = self.surface.width_px() * self._screen_per_pixel()
        self.setCursor(brush(side, self.surface.color()))

    def canvasPressEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self.abort()
        self._band = QgsRubberBand(self.canvas(), QgsWkbTypes.GeometryType.LineGeometry)
        color = QColor(self.surface.color())
        color.setAlpha(170)
        self._band.setStrokeColor(color)
        self._band.setWidth(max(2, round(self.surface.width_px() * self._screen_per_pixel())))
        self._extend(event.mapPoint())

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        if self._band is not None:
            self._extend(event.mapPoint())

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        if self._band is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._extend(event.mapPoint())
        vertices = simplified(self._vertices)
        self.abort()
        if any(self._inside(vertex) for vertex in vertices):
            self.drawn.emit("stroke", vertices, self.surface.width_px())
        else:
            self.missed.emit()

    def abort(self) -> bool:
        if self._band is None:
            return False
        self.canvas().scene().removeItem(self._band)
        self._band, self._vertices = None, []
        return True

    def take_back(self) -> bool:
        if self._band is None:
            return False
        if len(self._vertices) > 1:
            self._vertices.pop()
            self._band.removeLastPoint()
        return True

    def _extend(self, point: QgsPointXY) -> None:
        pixel = self._pixel(point)
        if pixel is not None and self._band is not None:
            self._vertices.append(pixel)
            self._band.addPoint(point)


def simplified(vertices: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """A freehand line without the vertices that say nothing; a single position stays one."""
    if len(set(vertices)) < 2:
        return tuple(vertices[:1])
    line = QgsGeometry.fromPolylineXY([QgsPointXY(x, y) for x, y in vertices]).simplify(KEEP_WITHIN_PX)
    points = line.asPolyline() or [QgsPointXY(x, y) for x, y in (vertices[0], vertices[-1])]
    return tuple((point.x(), point.y()) for point in points)


def brush(side: float, color: QColor) -> QCursor:
    """A ring of that diameter in screen pixels, legible over light and dark."""
    side = int(min(max(side, CURSOR_SIDES[0]), CURSOR_SIDES[1]))
    image = QPixmap(side + 4, side + 4)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for ring, width in ((QColor("#ffffff"), 3.0), (color, 1.6)):
        painter.setPen(QPen(ring, width))
        painter.drawEllipse(2, 2, side, side)
    painter.end()
    return QCursor(image)
