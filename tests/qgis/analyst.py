"""What an analyst does with the plugin, by mouse and keyboard, and what the files say afterwards."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable

import numpy as np
from osgeo import gdal
from qgis.core import QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtCore import QPoint, Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication, QPushButton, QWidget

from terrafine import classFactory
from terrafine.qgis_plugin.state import Link
from terrafine.tests.qgis.window import LEFT, Window

PATIENCE_S = 240.0  # of a machine that does much else besides


def until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Let QGIS run until something is so."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        QApplication.processEvents()
        time.sleep(0.005)


class Analyst:
    def __init__(self, window: Window) -> None:
        self.window = window
        self.plugin = classFactory(window)
        self.plugin.initGui()

    def leave(self) -> None:
        if self.plugin.dock is not None:
            self.plugin.unload()
        QApplication.sendPostedEvents()
        QApplication.processEvents()

    @property
    def dock(self):
        return self.plugin.dock

    @property
    def controller(self):
        return self.plugin.bench.controller

    # ---- doing -----------------------------------------------------------------------------------------------------

    def press(self, button: QPushButton) -> None:
        assert button.isEnabled(), f"'{button.text() or button.toolTip()}' is disabled"
        self.turn_to(button)
        QTest.mouseClick(button, LEFT)

    def turn_to(self, widget: QWidget) -> None:
        """Open the dock's page that the widget is on, if it is on one."""
        pages = self.dock.pages if self.plugin.bench else None
        for index in range(pages.count() if pages else 0):
            if pages.widget(index).isAncestorOf(widget):
                QTest.mouseClick(pages.tabBar(), LEFT, pos=pages.tabBar().tabRect(index).center())

    def key(self, key: Qt.Key, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier, on=None) -> None:
        QTest.keyClick(on or self.window.canvas, key, held)

    def start_server(self) -> None:
        self.press(self.dock.server.start)
        until(lambda: self.controller.link in (Link.ONLINE, Link.LOST), "the server is there")
        assert self.controller.link is Link.ONLINE, self.window.messages()

    def connect(self, address: str) -> None:
        """Type an address and connect to it."""
        panel = self.dock.server
        panel.show_address()
        panel.address.setText(address)
        self.press(panel.connect_button)
        until(lambda: self.controller.link in (Link.ONLINE, Link.LOST), "the server has answered")

    def open(self, path: Path, name: str = "scene") -> QgsRasterLayer:
        """Add a raster and look at all of it."""
        layer = QgsRasterLayer(str(path), name)
        assert layer.isValid()
        QgsProject.instance().addMapLayer(layer)
        self.dock.map.raster.setLayer(layer)
        canvas = self.window.canvas
        self.window.look_at(canvas.mapSettings().layerExtentToOutputExtent(layer, layer.extent()))
        return layer

    def choose_model(self, name: str = "tiny") -> None:
        index = self.dock.map.model.findData(name)
        self.dock.map.model.setCurrentIndex(index)
        self.dock.map.model.activated.emit(index)

    def classify(self) -> None:
        self.press(self.dock.map.classify)
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is under way."""
        until(lambda: self.controller.work is None, "the work is done")

    def mark(self, x: float, y: float, class_id: int) -> None:
        """Mark a point with a class by key and click, and let the map follow."""
        self.use("point")
        self.key(Qt.Key.Key_1 + class_id)
        self.window.click(self.at(x, y))
        self.settle()

    def stroke(self, class_id: int, *path: tuple[float, float]) -> None:
        """Draw a stroke through positions, and let the map follow."""
        self.use("stroke")
        self.key(Qt.Key.Key_1 + class_id)
        self.window.drag(*(self.at(*position) for position in path))
        self.settle()

    def use(self, tool: str) -> None:
        button = self.dock.marks.tools.buttons[tool]
        if not button.isChecked():
            self.press(button)

    def at(self, x: float, y: float) -> QPoint:
        """Where the canvas shows the pixel coordinates (x, y) of the session's raster."""
        point = self.plugin.bench.locator().point(x, y)
        place = self.window.canvas.getCoordinateTransform().transform(point)
        return QPoint(round(place.x()), round(place.y()))

    # ---- seeing ----------------------------------------------------------------------------------------------------

    @property
    def marks(self):
        """What the plugin knows is marked."""
        return self.controller.session.log.marks

    def stored(self) -> list[tuple[str, str, int]]:
        """(id, kind, class) of the marks in the GeoPackage, read anew from the file."""
        layer = QgsVectorLayer(self.marks_layer.source(), "again", "ogr")
        features = sorted(layer.getFeatures(), key=lambda feature: feature.id())
        return [(feature["mark_id"], feature["kind"], feature["class_id"]) for feature in features]

    @property
    def marks_layer(self) -> QgsVectorLayer:
        return self._layer("marks")

    @property
    def map_layer(self) -> QgsRasterLayer:
        return self._layer("map")

    def map(self) -> np.ndarray:
        """The class ids in the map's file."""
        return gdal.Open(self.map_layer.source()).ReadAsArray()

    def shown(self, layer=None) -> np.ndarray:
        """The class ids that QGIS's own provider, the one that paints, has of the map."""
        layer = layer or self.map_layer
        block = layer.dataProvider().block(1, layer.extent(), layer.width(), layer.height())
        return np.frombuffer(bytes(block.data()), np.uint8).reshape(layer.height(), layer.width())

    def _layer(self, role: str):
        layers = QgsProject.instance().mapLayers().values()
        return next(layer for layer in layers if layer.customProperty("terrafine/role") == role)
