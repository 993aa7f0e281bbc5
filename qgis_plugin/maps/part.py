"""Rendering a rectangle of what a canvas shows, with all of its layers, so that it fits the rest to the pixel."""

from __future__ import annotations

import math
from typing import Optional, Sequence

from qgis.core import (
    QgsCoordinateTransform,
    QgsCsException,
    QgsMapLayer,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsRasterMinMaxOrigin,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QRect

STEP_PX = 4  # boxes begin and end on multiples of it, which are whole device pixels at 125, 150 and 175 % as well
SYMBOL_REACH_PX = 24  # how far from its place the symbol of a point may be seen
SEE_THE_EXTENT = ("heatmapRenderer", "pointCluster", "pointDisplacement")  # look different in another extent


def can_be_rendered_in_part(settings: QgsMapSettings) -> bool:
    """Whether a part of the map looks as it does in the whole, and needs nothing from the network."""
    annotations = QgsProject.instance().mainAnnotationLayer()
    return annotations.isEmpty() and all(map(_is_the_same_in_part, settings.layers()))


def _is_the_same_in_part(layer: QgsMapLayer) -> bool:
    """Labels find other places in another extent, and colours may be stretched to it."""
    if isinstance(layer, QgsVectorLayer):
        writes = layer.labelsEnabled() or layer.diagramsEnabled()
        return not writes and (layer.renderer() is None or layer.renderer().type() not in SEE_THE_EXTENT)
    if isinstance(layer, QgsRasterLayer) and layer.isValid():
        stretch = layer.renderer().minMaxOrigin().extent()
        return _is_near(layer) and stretch != QgsRasterMinMaxOrigin.Extent.UpdatedCanvas
    return False


def _is_near(layer: QgsRasterLayer) -> bool:
    """Is the layer read from a file, or from tiles, which QGIS keeps?"""
    return layer.providerType() == "gdal" or (layer.providerType() == "wms" and "type=xyz" in layer.source())


def box_of(layer: QgsMapLayer, extents: Sequence[QgsRectangle], settings: QgsMapSettings) -> Optional[QRect]:
    """The canvas's pixels that show extents in the layer's CRS; None where the map's CRS has no place for them."""
    to_map = QgsCoordinateTransform(layer.crs(), settings.destinationCrs(), settings.transformContext())
    box = QRect()
    try:
        for extent in extents:
            box = box.united(_box(to_map.transformBoundingBox(extent), settings))
    except QgsCsException:
        return None
    size = settings.outputSize()
    return box.intersected(QRect(0, 0, -_floor(-size.width()), -_floor(-size.height())))


def _box(extent: QgsRectangle, settings: QgsMapSettings) -> QRect:
    """Around the extent's corners, which the map may turn, and the symbols there."""
    place = settings.mapToPixel().transform
    xs, ys = (extent.xMinimum(), extent.xMaximum()), (extent.yMinimum(), extent.yMaximum())
    corners = [place(x, y) for x in xs for y in ys]
    across, down = [point.x() for point in corners], [point.y() for point in corners]
    reach = _reach_px(settings)
    left, top = _floor(min(across) - reach), _floor(min(down) - reach)
    return QRect(left, top, -_floor(-max(across) - reach) - left, -_floor(-max(down) - reach) - top)


def _floor(value: float) -> int:
    return math.floor(value / STEP_PX) * STEP_PX


def _reach_px(settings: QgsMapSettings) -> float:
    return SYMBOL_REACH_PX * settings.outputDpi() / 96


def settings_of_part(settings: QgsMapSettings, box: QRect) -> QgsMapSettings:
    """Settings that render a box of the map's pixels, at the same scale and rotation."""
    part = QgsMapSettings(settings)
    per_pixel = settings.mapUnitsPerPixel()
    center = settings.mapToPixel().toMapCoordinates(box.x() + box.width() // 2, box.y() + box.height() // 2)
    part.setOutputSize(box.size())
    part.setExtent(QgsRectangle.fromCenterAndSize(center, box.width() * per_pixel, box.height() * per_pixel))
    part.setExtentBuffer(_reach_px(settings) * per_pixel)
    return part
