"""Only what has changed of the map is painted anew, and it looks as if all of it had been."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Callable, Iterator

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsFillSymbol,
    QgsGeometry,
    QgsPalLayerSettings,
    QgsPointClusterRenderer,
    QgsRasterMinMaxOrigin,
    QgsRectangle,
    QgsSingleSymbolRenderer,
    QgsVectorLayer,
    QgsVectorLayerSimpleLabeling,
)
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QRect
from qgis.PyQt.QtGui import QColor, QPainter
from qgis.PyQt.QtTest import QTest

from terrafine.qgis_plugin.maps.overlay import Overlay
from terrafine.qgis_plugin.maps.repaint import Repainter
from terrafine.qgis_plugin.styles import locks_renderer
from terrafine.shared.geo import Window
from terrafine.shared.spec import NODATA_CLASS
from terrafine.tests.qgis import scenes
from terrafine.tests.qgis.analyst import until
from terrafine.tests.qgis.map_scene import CHANGED, Scene, astray, differing, pixels, sharpness

pytestmark = pytest.mark.qgis
ELSEWHERE = Window(120, 20, 20, 20)


@pytest.fixture(scope="module")
def canvas(qgis_app) -> Iterator[QgsMapCanvas]:
    canvas = QgsMapCanvas()
    canvas.setCachingEnabled(True)
    canvas.resize(450, 390)
    canvas.show()
    QTest.qWait(700)  # QGIS draws again half a second after a change of size
    yield canvas
    canvas.deleteLater()


@pytest.fixture
def show(canvas, tmp_path) -> Iterator[Callable[..., Scene]]:
    shown: list[Scene] = []

    def make(raster: Callable[[Path], Path] = scenes.projected, look: Callable[[Scene], None] = plain) -> Scene:
        scene = Scene(canvas, raster(tmp_path / "scene.tif"))
        shown.append(scene)
        look(scene)
        scene.draw_all()
        return scene

    yield make
    for scene in shown:
        scene.close()


def plain(scene: Scene) -> None:
    pass


def reprojected(scene: Scene) -> None:
    crs = QgsCoordinateReferenceSystem("EPSG:3857")
    scene.canvas.setDestinationCrs(crs)
    scene.canvas.setExtent(scene.canvas.mapSettings().layerExtentToOutputExtent(scene.layer, scene.layer.extent()))


def turned(scene: Scene) -> None:
    scene.canvas.setRotation(33.0)


def zoomed_in(scene: Scene) -> None:
    extent = scene.layer.extent()
    extent.scale(0.23)
    scene.canvas.setExtent(extent)


def zoomed_out(scene: Scene) -> None:
    extent = scene.layer.extent()
    extent.scale(3.7)
    scene.canvas.setExtent(extent)


def one_to_two(scene: Scene) -> None:
    """A pixel of the map is two by two of the screen."""
    extent, size = scene.layer.extent(), scene.canvas.size()
    west, north = extent.xMinimum() - 20, extent.yMaximum() + 10
    scene.canvas.setExtent(QgsRectangle(west, north - size.height() / 2, west + size.width() / 2, north))


def see_through(scene: Scene) -> None:
    scene.layer.setOpacity(0.4)
    scene.layer.setBlendMode(QPainter.CompositionMode.CompositionMode_Multiply)


def under_others(scene: Scene) -> None:
    """A see-through layer and a hatched one above the map."""
    for share, renderer in ((0.6, None), (0.4, locks_renderer())):
        extent = scene.layer.extent()
        extent.scale(share)
        layer = QgsVectorLayer("Polygon?crs=EPSG:32640", "above", "memory")
        layer.setCrs(scene.layer.crs())
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromRect(extent))
        layer.dataProvider().addFeatures([feature])
        symbol = QgsFillSymbol.createSimple({"color": "#80ffff00"})
        layer.setRenderer(renderer or QgsSingleSymbolRenderer(symbol))
        layer.setOpacity(0.7)
        scene.layers.insert(0, layer)
    scene.canvas.setLayers(scene.layers)


@pytest.mark.parametrize("look", [plain, reprojected, turned, zoomed_in, zoomed_out, see_through, under_others])
@pytest.mark.parametrize("make", [scenes.projected, scenes.rotated, scenes.geographic, scenes.control_points])
def test_a_change_painted_alone_looks_as_if_everything_had_been_painted(make, look, show):
    scene = show(make, look)
    before, after, whole = scene.see(), scene.change(), scene.draw_all()
    changed = differing(whole, before).sum()
    assert changed > 0
    assert astray(after, whole, scene.canvas) < 0.05 * changed


def test_pixel_for_pixel_the_same_where_a_pixel_of_the_map_is_whole_ones_of_the_screen(show):
    scene = show(look=one_to_two)
    after = scene.change()
    assert not differing(after, scene.draw_all()).any()


def test_nothing_but_the_change_is_painted(show):
    scene = show(look=one_to_two)
    before = scene.see()
    unseen = gdal.Open(scene.layer.source(), gdal.GA_Update)
    unseen.WriteArray(np.full(ELSEWHERE.shape, NODATA_CLASS, np.uint8), ELSEWHERE.col, ELSEWHERE.row)
    del unseen
    rows, cols = np.nonzero(differing(scene.change(), before))
    scale = 2 * sharpness(scene.canvas)
    assert (rows.min(), rows.max() + 1) == (scale * (CHANGED.row + 10), scale * (CHANGED.row_end + 10))
    assert (cols.min(), cols.max() + 1) == (scale * (CHANGED.col + 20), scale * (CHANGED.col_end + 20))
    assert sum(box.width() * box.height() for box in scene.painted) < 0.1 * scene.canvas.width() * scene.canvas.height()


def test_the_canvas_s_next_picture_holds_what_was_painted_over_the_last_one(show):
    scene = show(look=one_to_two)
    after = scene.change()
    scene.canvas.refresh()
    assert not differing(scene.see(), after).any()
    assert not any(item.isVisible() for item in scene.canvas.scene().items() if isinstance(item, Overlay))


def test_a_change_while_the_canvas_is_being_drawn_is_painted_afterwards(show):
    scene = show(look=one_to_two)

    def change() -> None:
        scene.canvas.renderStarting.disconnect(change)
        scene.write(CHANGED)
        scene.map.repaint()

    scene.canvas.renderStarting.connect(change)
    scene.canvas.refresh()
    until(lambda: bool(scene.painted), "the change is painted", 10)
    after = scene.see()
    assert astray(after, scene.draw_all(), scene.canvas) == 0


def test_a_change_while_another_is_being_painted_is_painted_next(show):
    scene = show(look=one_to_two)
    scene.write(CHANGED)
    scene.map.repaint()
    scene.write(ELSEWHERE)
    scene.map.repaint()
    until(lambda: len(scene.painted) == 2, "both are painted", 10)
    after = scene.see()
    assert astray(after, scene.draw_all(), scene.canvas) == 0


def test_what_others_draw_on_the_map_is_drawn_on_its_new_part(show):
    scene = show(look=one_to_two)
    bar = QRect(0, 150, 450, 20)  # through the change

    def draw_bar(painter: QPainter) -> None:
        painter.fillRect(bar, QColor("#000000"))

    scene.canvas.renderComplete.connect(draw_bar)
    scene.draw_all()
    after, whole = scene.change(), scene.draw_all()
    scene.canvas.renderComplete.disconnect(draw_bar)
    assert (after[sharpness(scene.canvas) * (bar.top() + 5), sharpness(scene.canvas) * 200, :3] == 0).all()
    assert not differing(after, whole).any()


def labelled(scene: Scene) -> None:
    under_others(scene)
    scene.layers[0].setLabeling(QgsVectorLayerSimpleLabeling(QgsPalLayerSettings()))
    scene.layers[0].setLabelsEnabled(True)


def stretched_to_the_view(scene: Scene) -> None:
    origin = QgsRasterMinMaxOrigin()
    origin.setExtent(QgsRasterMinMaxOrigin.Extent.UpdatedCanvas)
    scene.layers[1].renderer().setMinMaxOrigin(origin)


def clustered(scene: Scene) -> None:
    points = QgsVectorLayer("Point?crs=EPSG:32640", "points", "memory")
    points.setRenderer(QgsPointClusterRenderer())
    scene.layers.insert(0, points)
    scene.canvas.setLayers(scene.layers)


@pytest.mark.parametrize("look", [labelled, stretched_to_the_view, clustered])
def test_a_map_that_looks_different_in_part_is_left_to_qgis(look, show):
    scene = show(look=look)
    scene.drawings = 0
    scene.write(CHANGED)
    scene.map.repaint()
    after = scene.see()
    assert (scene.drawings, scene.painted) == (1, [])
    assert not differing(after, scene.draw_all()).any()


def test_a_view_that_has_moved_on_is_left_to_qgis(show):
    scene = show()
    zoomed_in(scene)
    scene.write(CHANGED)
    scene.map.repaint()
    after = scene.see()
    assert scene.painted == []
    assert not differing(after, scene.draw_all()).any()


def test_a_change_out_of_view_costs_no_painting(show):
    scene = show(look=zoomed_in)
    before = scene.see()
    scene.write(Window(0, 0, 20, 20))
    scene.map.repaint()
    assert not differing(scene.see(), before).any()
    assert (scene.drawings, scene.painted) == (1, [])  # that of looking


def test_other_canvases_draw_the_map_as_well(show):
    scene = show()
    other = QgsMapCanvas()
    other.setCachingEnabled(True)
    other.setLayers([scene.layer])
    other.setExtent(scene.layer.extent())
    other.show()
    scene.canvases.append(other)
    other.refresh()
    other.waitWhileRendering()
    drawn: list[int] = []
    other.renderStarting.connect(lambda: drawn.append(1))
    scene.change()
    other.waitWhileRendering()
    assert drawn
    other.deleteLater()


def test_a_repainter_that_is_closed_leaves_the_canvas_as_it_was(show, canvas):
    before = (len(canvas.scene().items()), *(canvas.receivers(signal) for signal in signals(canvas)))
    Repainter(SimpleNamespace(mapCanvas=lambda: canvas, mapCanvases=lambda: [canvas])).close()
    assert before == (len(canvas.scene().items()), *(canvas.receivers(signal) for signal in signals(canvas)))


def signals(canvas: QgsMapCanvas) -> tuple:
    return canvas.renderStarting, canvas.renderComplete, canvas.mapCanvasRefreshed


def test_after_a_click_the_canvas_draws_nothing_but_what_it_changes(mapped):
    canvas, repainter = mapped.window.canvas, mapped.plugin.bench.sessions.repainter
    canvas.setCachingEnabled(True)
    canvas.refresh()
    canvas.waitWhileRendering()
    drawings: list[int] = []
    painted: list[QRect] = []
    canvas.renderStarting.connect(lambda: drawings.append(1))
    repainter.painted.connect(painted.append)
    before, seen = mapped.map(), pixels(canvas.grab().toImage())
    mapped.mark(20.5, 20.5, (int(before[20, 20]) + 1) % 3)
    until(lambda: len(painted) >= 2, "mark and map are painted", 10)
    after = pixels(canvas.grab().toImage())
    assert drawings == []
    assert differing(after, seen).any()
    assert max(box.width() * box.height() for box in painted) < 0.5 * canvas.width() * canvas.height()
    canvas.clearCache()
    canvas.refresh()
    canvas.waitWhileRendering()
    whole = pixels(canvas.grab().toImage())
    assert astray(after, whole, canvas) < 0.05 * differing(whole, seen).sum()
