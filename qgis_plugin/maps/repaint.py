"""Repainting the part of a raster layer that has changed, and no more.

QGIS keeps the picture of each layer that the canvas shows and drops it when the layer asks to be repainted. Here the
picture is put back, with the changed part painted anew, before the canvas gets round to repainting: QGIS then lays the
pictures of all layers on each other and reads no pixels. What is out of the ordinary is left to QGIS, which paints the
layer whole: QGIS before 3.32, which does not hand out its pictures; a canvas that is being drawn or has moved on; a
theme with a style of its own; a change so large that painting it here would hold up the interface.
"""

from __future__ import annotations

import math
from typing import Optional, Sequence

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsMapRendererCache,
    QgsMapSettings,
    QgsMapToPixel,
    QgsRasterInterface,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QRect
from qgis.PyQt.QtGui import QImage, QPainter

from terrafine.qgis_plugin.rasters.placement import Locator, Placement
from terrafine.shared.geo import Window, buffered

LARGEST_PX = 3_000_000  # of the raster and of the screen together: less than 50 ms
RESAMPLING_REACH_PX = 2  # raster pixels around a change whose look it changes, should the layer be resampled
RIM_PX = 1  # screen pixels around a change that a turned map may show partly


class Repainter:
    """Shows on a canvas what has changed in the file of a raster layer."""

    def __init__(self, canvas: QgsMapCanvas, placement: Placement, crs: QgsCoordinateReferenceSystem) -> None:
        self._canvas, self._placement, self._crs = canvas, placement, crs

    def reopen(self, layer: QgsRasterLayer, changed: Sequence[Window]) -> None:
        """Open the layer's source anew, which makes QGIS drop its picture, and put that back with `changed` painted."""
        settings, cache = self._canvas.mapSettings(), self._cache()
        picture = None if cache is None else _picture(cache, layer, settings)
        layer.setDataSource(layer.source(), layer.name(), "gdal")
        if picture is None:
            return
        try:
            boxes = [self._box(window, settings) for window in changed]
        except ValueError:  # the map's CRS has no place for some of it
            return
        if sum(window.pixels for window in changed) + sum(box.width() * box.height() for box in boxes) <= LARGEST_PX:
            _paint(picture, layer, settings, boxes)
            cache.setCacheImage(layer.id(), picture, [layer])

    def _cache(self) -> Optional[QgsMapRendererCache]:
        """Where QGIS keeps the layers' pictures, if it lets us and nothing is being painted into it."""
        if not hasattr(self._canvas, "cache") or self._canvas.isDrawing():
            return None
        return self._canvas.cache()

    def _box(self, window: Window, settings: QgsMapSettings) -> QRect:
        """The screen pixels that show a window, before the map is turned; raises ValueError where it has no place."""
        locator = Locator(self._placement, self._crs, settings.destinationCrs(), settings.transformContext())
        extent = locator.extent(buffered(window, RESAMPLING_REACH_PX))
        straight = _straightened(settings)
        return _box(extent, straight).intersected(_box(settings.visibleExtent(), straight))


def _picture(cache: QgsMapRendererCache, layer: QgsRasterLayer, settings: QgsMapSettings) -> Optional[QImage]:
    """The layer's picture, if it is one of what the canvas is to show now."""
    if layer.id() in settings.layerStyleOverrides():
        return None
    cache.updateParameters(settings.visibleExtent(), settings.mapToPixel())
    return cache.cacheImage(layer.id()) if cache.hasCacheImage(layer.id()) else None


def _paint(picture: QImage, layer: QgsRasterLayer, settings: QgsMapSettings, boxes: Sequence[QRect]) -> None:
    """Paint the layer anew in boxes of screen pixels.

    On the lattice of the picture's own pixels, so that the new parts fit the old: a rendering of QGIS's for a part of
    the map would stretch it by up to a pixel.
    """
    straight = _straightened(settings)
    copy = layer.clone()  # whose pipe nobody else uses
    copy.pipe().projector().setCrs(layer.crs(), settings.destinationCrs(), settings.transformContext())
    painter = QPainter(picture)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
    _turn(painter, straight, settings.rotation())
    for box in boxes:
        if not box.isEmpty():
            painter.drawImage(box, _image(copy.pipe().last(), box, straight, picture.devicePixelRatio()))
    painter.end()


def _straightened(settings: QgsMapSettings) -> QgsMapToPixel:
    """Map to screen before the map is turned, which is left to the painter."""
    straight, center = QgsMapToPixel(settings.mapToPixel()), settings.extent().center()
    straight.setMapRotation(0.0, center.x(), center.y())
    return straight


def _turn(painter: QPainter, straight: QgsMapToPixel, degrees: float) -> None:
    x, y = straight.mapWidth() / 2, straight.mapHeight() / 2
    painter.translate(x, y)
    painter.rotate(degrees)
    painter.translate(-x, -y)


def _box(extent: QgsRectangle, straight: QgsMapToPixel) -> QRect:
    """The screen pixels of an extent, whole ones."""
    start = straight.transform(extent.xMinimum(), extent.yMaximum())
    end = straight.transform(extent.xMaximum(), extent.yMinimum())
    left, top = math.floor(start.x()) - RIM_PX, math.floor(start.y()) - RIM_PX
    return QRect(left, top, math.ceil(end.x()) + RIM_PX - left, math.ceil(end.y()) + RIM_PX - top)


def _image(pixels: QgsRasterInterface, box: QRect, straight: QgsMapToPixel, sharpness: float) -> QImage:
    """What the layer looks like in a box of screen pixels."""
    start = straight.toMapCoordinates(box.x(), box.y())
    end = straight.toMapCoordinates(box.x() + box.width(), box.y() + box.height())
    extent = QgsRectangle(start.x(), end.y(), end.x(), start.y())
    size = (round(side * sharpness) for side in (box.width(), box.height()))
    return pixels.block(1, extent, *size).image()
