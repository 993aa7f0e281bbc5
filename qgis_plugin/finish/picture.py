"""A class map as a small picture."""

from __future__ import annotations

import base64

import numpy as np
from qgis.PyQt.QtCore import QBuffer, QIODevice
from qgis.PyQt.QtGui import QColor, QImage

from terrafine.qgis_plugin.finish.borders import NO_CLASS
from terrafine.qgis_plugin.finish.class_raster import ClassRaster
from terrafine.shared.geo import Window

LONGEST_PX = 640


def picture_of(raster: ClassRaster, window: Window) -> tuple[str, int, int]:
    """A window of a map in its colours as a data URI of a PNG; and the picture's width and height in pixels."""
    scale = min(1.0, LONGEST_PX / max(window.width, window.height))
    width, height = (max(1, round(side * scale)) for side in (window.width, window.height))
    classes = raster.read(window, (width, height))
    pixels = np.zeros((height, width), np.uint32)
    for class_id in np.unique(classes).tolist():
        if class_id != NO_CLASS:
            pixels[classes == class_id] = QColor(raster.source.cover(class_id).color).rgb()
    image = QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_ARGB32)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(bytes(buffer.data())).decode()}", width, height
