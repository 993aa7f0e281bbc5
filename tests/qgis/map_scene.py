"""A canvas with a map on it, and pictures of it."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Optional

import numpy as np
from qgis.core import QgsCoordinateReferenceSystem, QgsMapLayer, QgsRasterLayer
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QRect
from qgis.PyQt.QtGui import QImage

from terrafine.qgis_plugin.maps.layer import MapLayer, create_map_file, open_map_layer
from terrafine.qgis_plugin.maps.repaint import Repainter
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.qgis_plugin.rasters.raster import open_dataset
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch
from terrafine.shared.spec import LandCover
from terrafine.tests.qgis.analyst import until

CLASSES = tuple(LandCover(i, f"class {i}", color) for i, color in enumerate(("#d73027", "#1a9850", "#4575b4")))
CHANGED = Window(60, 70, 25, 13)
FIELD_PX = 20


def pixels(image: QImage) -> np.ndarray:
    """(rows, columns, 4), uint8"""
    image = image.convertToFormat(QImage.Format.Format_ARGB32)
    bits = image.constBits().asarray(image.sizeInBytes())
    return np.array(bits, np.uint8).reshape(image.height(), image.width(), 4)


def fields(shape: tuple[int, int]) -> np.ndarray:
    """Classes in squares of 20 pixels, so that the seam of a badly placed part would be seen."""
    small = np.random.default_rng(2).integers(0, 3, [side // FIELD_PX + 1 for side in shape])
    return small.repeat(FIELD_PX, 0).repeat(FIELD_PX, 1)[: shape[0], : shape[1]]


def differing(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where pictures differ, (rows, columns)."""
    return (a != b).any(axis=2)


def sharpness(canvas: QgsMapCanvas) -> int:
    """How many pixels of the screen one of the canvas's is wide, at least."""
    return math.ceil(canvas.devicePixelRatioF())


def astray(a: np.ndarray, b: np.ndarray, canvas: QgsMapCanvas) -> int:
    """How many pixels of a picture are none of those near them in another: QGIS itself moves what it paints by one."""
    steps = range(-sharpness(canvas), sharpness(canvas) + 1)
    return int(np.all([differing(a, np.roll(b, (down, right), (0, 1))) for down in steps for right in steps], 0).sum())


class Scene:
    """An image and its map on a canvas, what is painted there, and how often the canvas is drawn."""

    def __init__(self, canvas: QgsMapCanvas, raster: Path) -> None:
        self.canvas = canvas
        canvas.waitWhileRendering()
        target, source = raster.with_name("map.tif"), open_dataset(str(raster))
        create_map_file(target, str(raster), QgsCoordinateReferenceSystem(), CLASSES)
        self.layer = open_map_layer(target, "map", CLASSES)
        self.layers: list[QgsMapLayer] = [self.layer, QgsRasterLayer(str(raster), "image")]
        self.canvases = [canvas]
        self.repainter = Repainter(SimpleNamespace(mapCanvas=lambda: canvas, mapCanvases=lambda: self.canvases))
        self.map = MapLayer(self.layer, Placement(source), self.repainter)
        self.write(
            Window(0, 0, source.RasterXSize, source.RasterYSize), fields((source.RasterYSize, source.RasterXSize))
        )
        self.map.repaint()
        canvas.setRotation(0.0)
        canvas.setDestinationCrs(self.layer.crs())
        canvas.setLayers(self.layers)
        canvas.setExtent(self.layer.extent())
        self.painted: list[QRect] = []
        self.drawings = 0
        self.repainter.painted.connect(self.painted.append)
        canvas.renderStarting.connect(self._count)

    def close(self) -> None:
        self.repainter.close()
        self.canvas.renderStarting.disconnect(self._count)
        self.canvas.setLayers([])

    def _count(self) -> None:
        self.drawings += 1

    def write(self, window: Window, classes: Optional[np.ndarray] = None) -> None:
        """Put classes, by default others than those that are there, into the map's file."""
        there = open_dataset(self.layer.source()).ReadAsArray(window.col, window.row, window.width, window.height)
        values = (there + 1) % 3 if classes is None else classes
        self.map.write(Patch(window, values[np.newaxis].astype(np.uint8), np.ones(window.shape, bool)))

    def change(self, window: Window = CHANGED) -> np.ndarray:
        """Change the map while the canvas rests; what the user sees when that is painted."""
        self.drawings = 0
        self.write(window)
        self.map.repaint()
        until(lambda: bool(self.painted), "the change is painted", 10)
        assert self.drawings == 0
        return self.see()

    def see(self) -> np.ndarray:
        """What the user sees, (rows, columns, 4)."""
        self.canvas.waitWhileRendering()
        return pixels(self.canvas.grab().toImage())

    def draw_all(self) -> np.ndarray:
        """What the user sees where QGIS draws everything anew."""
        self.canvas.clearCache()
        self.canvas.refresh()
        return self.see()
