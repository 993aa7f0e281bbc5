"""New parts of a map, shown over the picture of it that the canvas has."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsMapSettings, QgsRectangle
from qgis.gui import QgsMapCanvas, QgsMapCanvasItem
from qgis.PyQt.QtCore import QRect, QRectF, Qt
from qgis.PyQt.QtGui import QImage, QPainter
from qgis.PyQt.QtWidgets import QWidget

OVER_THE_MAP = -9.0  # the canvas's picture is at −10, what tools draw is at 0 and above


class Overlay(QgsMapCanvasItem):
    """A picture of the canvas's size, clear where the canvas's own is to be seen. It moves as that does."""

    def __init__(self, canvas: QgsMapCanvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._picture: Optional[QImage] = None
        self.setZValue(OVER_THE_MAP)
        self.hide()

    def put(self, part: QImage, box: QRect, settings: QgsMapSettings) -> None:
        """Show a new part in a box of the canvas's pixels, and what others draw on finished maps (a scale bar)."""
        if self._picture is None:
            self._begin(settings)
        painter = QPainter(self._picture)
        painter.setClipRect(box)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(box.topLeft(), part)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        self._canvas.renderComplete.emit(painter)
        painter.end()
        self.update()

    def clear(self) -> None:
        self._picture = None
        self.hide()

    def _begin(self, settings: QgsMapSettings) -> None:
        size, per_pixel = settings.outputSize(), settings.mapUnitsPerPixel()
        self._picture = QImage(size * settings.devicePixelRatio(), QImage.Format.Format_ARGB32_Premultiplied)
        self._picture.setDevicePixelRatio(settings.devicePixelRatio())
        self._picture.fill(Qt.GlobalColor.transparent)
        corner = settings.mapToPixel().toMapCoordinates(0, 0)
        right, bottom = corner.x() + size.width() * per_pixel, corner.y() - size.height() * per_pixel
        self.setRect(QgsRectangle(corner.x(), bottom, right, corner.y()))
        self.show()

    def paint(self, painter: QPainter, _option: object = None, _widget: Optional[QWidget] = None) -> None:
        if self._picture is not None:
            around = self.boundingRect()  # QGIS adds two pixels to it
            painter.drawImage(QRectF(0, 0, around.width() - 2, around.height() - 2), self._picture)
