"""Map tools that point at something: erase marks, unlock a region, pick the class under the cursor."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsPointXY, QgsWkbTypes
from qgis.gui import QgsMapCanvas, QgsMapMouseEvent, QgsRubberBand
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor

from terrafine.qgis_plugin.marks.picking import marks_near, regions_at
from terrafine.qgis_plugin.marks.tools import MarkTool, Surface, brush

ERASER_REACH = 9.0  # screen pixels
ERASING = QColor("#d1495b")


class EraserTool(MarkTool):
    """Click or draw over marks to remove them, as one step."""

    def __init__(self, canvas: QgsMapCanvas, surface: Surface) -> None:
        super().__init__(canvas, surface)
        self.setCursor(brush(2 * ERASER_REACH, ERASING))
        self._found: Optional[dict[str, None]] = None
        self._band: Optional[QgsRubberBand] = None

    def deactivate(self) -> None:
        self.abort()
        super().deactivate()

    def canvasPressEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        if event.button() == Qt.MouseButton.LeftButton:
            self.abort()
            self._found = {}
            self._band = QgsRubberBand(self.canvas(), QgsWkbTypes.GeometryType.PointGeometry)
            self._band.setColor(ERASING)
            self._band.setIcon(QgsRubberBand.IconType.ICON_X)
            self._collect(event.mapPoint())

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        if self._found is not None:
            self._collect(event.mapPoint())

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        if self._found is None or event.button() != Qt.MouseButton.LeftButton:
            return
        found = tuple(self._found)
        self.abort()
        if found:
            self.erased.emit(found)

    def abort(self) -> bool:
        if self._found is None:
            return False
        self.canvas().scene().removeItem(self._band)
        self._found = self._band = None
        return True

    def _collect(self, point: QgsPointXY) -> None:
        pixel = self._pixel(point)
        if pixel is None or self._found is None:
            return
        for mark_id in marks_near(self.surface.marks(), pixel, ERASER_REACH / self._screen_per_pixel()):
            if mark_id not in self._found:
                self._found[mark_id] = None
                self._band.addPoint(point)


class UnlockTool(MarkTool):
    """A click frees the locked region under it."""

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        pixel = self._pixel(event.mapPoint())
        if event.button() == Qt.MouseButton.LeftButton and pixel is not None:
            found = regions_at(self.surface.regions(), pixel)
            if found:
                self.erased.emit(found)


class PickTool(MarkTool):
    """A click asks which class the map has there."""

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        if event.button() == Qt.MouseButton.LeftButton:
            self.pick(event.mapPoint())

    def pick(self, point: QgsPointXY) -> None:
        pixel = self._pixel(point)
        if pixel is not None and self._inside(pixel):
            self.picked.emit(*pixel)
        else:
            self.missed.emit()
