"""Only what has changed of the map is painted anew, and it looks as if all of it had been."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import numpy as np
import pytest
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsMapRendererCache,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor, QImage, QPainter

from terrafine.qgis_plugin.maps.layer import MapLayer, create_map_file, open_map_layer
from terrafine.qgis_plugin.maps.repaint import Repainter
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.qgis_plugin.rasters.raster import open_dataset
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch
from terrafine.shared.spec import LandCover
from terrafine.tests.qgis import scenes

pytestmark = pytest.mark.qgis
CLASSES = tuple(LandCover(i, f"class {i}", color) for i, color in enumerate(("#d73027", "#1a9850", "#4575b4")))
CHANGED = Window(60, 70, 25, 13)
FIELD_PX = 20
POISON = QColor("#ff00ff")
HANDS_OUT_PICTURES = Qgis.QGIS_VERSION_INT >= 33200


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


def shifted(picture: np.ndarray, by: int) -> list[np.ndarray]:
    """The picture moved by up to that many pixels in each direction, and as it is."""
    steps = range(-by, by + 1)
    return [np.roll(picture, (down, right), (0, 1)) for down in steps for right in steps]


class Canvas:
    """A canvas that hands out its pictures, as QGIS's does from 3.32 on."""

    def __init__(self, layer: QgsRasterLayer) -> None:
        self.settings = QgsMapSettings()
        self.settings.setLayers([layer])
        self.settings.setDestinationCrs(layer.crs())
        self.settings.setTransformContext(QgsProject.instance().transformContext())
        self.settings.setOutputSize(QSize(300, 260))
        self.settings.setExtent(layer.extent())
        self.settings.setBackgroundColor(QColor("#ffffff"))
        self.drawing = False
        self._cache = QgsMapRendererCache()

    def mapSettings(self) -> QgsMapSettings:  # noqa: N802 - QGIS's name
        return self.settings

    def isDrawing(self) -> bool:  # noqa: N802 - QGIS's name
        return self.drawing

    def cache(self) -> QgsMapRendererCache:
        return self._cache

    def paint(self, cached: bool = True) -> np.ndarray:
        """What the user sees, (rows, columns, 4)."""
        job = QgsMapRendererSequentialJob(self.settings)
        if cached:
            job.setCache(self._cache)
        job.start()
        job.waitForFinished()
        return pixels(job.renderedImage())

    def poison(self, layer: QgsRasterLayer) -> None:
        """Replace the layer's picture with one that no honest painting yields."""
        picture = self._cache.cacheImage(layer.id())
        picture.fill(POISON)
        self._cache.setCacheImage(layer.id(), picture, [layer])


class Scene:
    """A map of noise on a raster's grid, and the canvas that shows it."""

    def __init__(self, raster: Path) -> None:
        target = raster.with_name("map.tif")
        source = open_dataset(str(raster))
        self.window = Window(0, 0, source.RasterXSize, source.RasterYSize)
        create_map_file(target, str(raster), QgsCoordinateReferenceSystem(), CLASSES)
        self.layer = open_map_layer(target, "map", CLASSES)
        self.canvas = Canvas(self.layer)
        placement = Placement(source)
        self.map = MapLayer(self.layer, Repainter(self.canvas, placement, self.layer.crs()))
        self.write(self.window, fields(self.window.shape))
        self.map.repaint()

    def write(self, window: Window, classes: Optional[np.ndarray] = None) -> None:
        """Put classes, by default others than those that are there, into the map's file."""
        there = open_dataset(self.layer.source()).ReadAsArray(window.col, window.row, window.width, window.height)
        values = (there + 1) % 3 if classes is None else classes
        self.map.write(Patch(window, values[np.newaxis].astype(np.uint8), np.ones(window.shape, bool)))


def reprojected(scene: Scene) -> None:
    crs = QgsCoordinateReferenceSystem("EPSG:3857")
    extent = scene.canvas.settings.layerExtentToOutputExtent(scene.layer, scene.layer.extent())
    scene.canvas.settings.setDestinationCrs(crs)
    extent = scene.canvas.settings.layerExtentToOutputExtent(scene.layer, scene.layer.extent())
    scene.canvas.settings.setExtent(extent)


def turned(scene: Scene) -> None:
    scene.canvas.settings.setRotation(33.0)


def zoomed_in(scene: Scene) -> None:
    extent = scene.layer.extent()
    extent.scale(0.23)
    scene.canvas.settings.setExtent(extent)


def zoomed_out(scene: Scene) -> None:
    extent = scene.layer.extent()
    extent.scale(3.7)
    scene.canvas.settings.setExtent(extent)


def sharp(scene: Scene) -> None:
    scene.canvas.settings.setDevicePixelRatio(2.0)


def see_through(scene: Scene) -> None:
    scene.layer.setOpacity(0.4)
    scene.layer.setBlendMode(QPainter.CompositionMode.CompositionMode_Multiply)


def plain(scene: Scene) -> None:
    pass


@pytest.mark.parametrize("look", [plain, reprojected, turned, zoomed_in, zoomed_out, sharp, see_through])
@pytest.mark.parametrize("make", [scenes.projected, scenes.rotated, scenes.geographic, scenes.control_points])
def test_a_change_painted_alone_looks_as_if_everything_had_been_painted(make, look, tmp_path):
    scene = Scene(make(tmp_path / "scene.tif"))
    look(scene)
    before = scene.canvas.paint()
    scene.write(CHANGED)
    scene.map.repaint()
    after, whole = scene.canvas.paint(), scene.canvas.paint(cached=False)
    changed = differing(whole, before).sum()
    assert changed > 0
    reach = round(scene.canvas.settings.devicePixelRatio())
    astray = np.all([differing(after, moved) for moved in shifted(whole, reach)], axis=0)
    assert astray.sum() < 0.01 * changed  # QGIS itself stretches what it paints by up to a pixel


def test_nothing_but_the_change_is_painted(tmp_path):
    scene = Scene(scenes.projected(tmp_path / "scene.tif"))
    scene.canvas.paint()
    scene.canvas.poison(scene.layer)
    scene.write(CHANGED)
    scene.map.repaint()
    painted = differing(scene.canvas.paint(), np.array([*POISON.getRgb()[2::-1], 255], np.uint8))
    rows, cols = np.nonzero(painted)
    scale = 260 / 160  # screen pixels a raster pixel
    assert painted.sum() < (CHANGED.width + 8) * (CHANGED.height + 8) * scale**2
    assert (rows.min(), rows.max()) == pytest.approx((CHANGED.row * scale, CHANGED.row_end * scale), abs=6)
    assert (cols.min() - 20, cols.max() - 20) == pytest.approx((CHANGED.col * scale, CHANGED.col_end * scale), abs=6)


def test_pixel_for_pixel_the_same_where_a_pixel_of_the_map_is_whole_ones_of_the_screen(tmp_path):
    scene = Scene(scenes.projected(tmp_path / "scene.tif"))
    scene.canvas.settings.setOutputSize(QSize(480, 480))
    scene.canvas.paint()
    scene.write(CHANGED)
    scene.map.repaint()
    assert not differing(scene.canvas.paint(), scene.canvas.paint(cached=False)).any()


def test_a_canvas_that_is_being_drawn_is_left_to_qgis(tmp_path):
    scene = Scene(scenes.projected(tmp_path / "scene.tif"))
    scene.canvas.paint()
    scene.canvas.drawing = True
    scene.write(CHANGED)
    scene.map.repaint()
    assert not scene.canvas.cache().hasCacheImage(scene.layer.id())
    assert not differing(scene.canvas.paint(), scene.canvas.paint(cached=False)).any()


def test_a_view_that_has_moved_on_is_left_to_qgis(tmp_path):
    scene = Scene(scenes.projected(tmp_path / "scene.tif"))
    scene.canvas.paint()
    zoomed_in(scene)
    scene.write(CHANGED)
    scene.map.repaint()
    assert not scene.canvas.cache().hasCacheImage(scene.layer.id())


def test_a_change_out_of_view_costs_no_painting(tmp_path):
    scene = Scene(scenes.projected(tmp_path / "scene.tif"))
    zoomed_in(scene)
    scene.canvas.paint()
    scene.canvas.poison(scene.layer)
    scene.write(Window(0, 0, 20, 20))
    scene.map.repaint()
    assert not differing(scene.canvas.paint(), np.array([*POISON.getRgb()[2::-1], 255], np.uint8)).any()


@pytest.mark.skipif(not HANDS_OUT_PICTURES, reason="QGIS hands out its pictures from 3.32 on")
def test_in_qgis_s_canvas_a_click_paints_the_tiles_it_changes_and_nothing_else(mapped):
    canvas = mapped.window.canvas
    canvas.setCachingEnabled(True)
    canvas.refresh()
    canvas.waitWhileRendering()
    poisoned = canvas.cache().cacheImage(mapped.map_layer.id())
    assert not poisoned.isNull()
    poisoned.fill(POISON)
    before = mapped.map()
    canvas.cache().setCacheImage(mapped.map_layer.id(), poisoned, [mapped.map_layer])
    mapped.mark(20.5, 20.5, (int(before[20, 20]) + 1) % 3)
    canvas.waitWhileRendering()
    picture = pixels(canvas.cache().cacheImage(mapped.map_layer.id()))
    painted = differing(picture, np.array([*POISON.getRgb()[2::-1], 255], np.uint8))
    assert painted.any()
    assert painted.mean() < 0.5
    changed = np.argwhere(mapped.map() != before)
    for row, col in changed[:: max(1, len(changed) // 20)]:
        place = mapped.at(col + 0.5, row + 0.5)
        assert painted[place.y(), place.x()]
