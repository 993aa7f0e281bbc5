"""Labelling samples: the panel, the keys and the canvas around a walk through a layer of samples.

What the map says of a sample stays hidden: layers that show a class are switched off meanwhile.
"""

from __future__ import annotations

import math
from typing import Optional

from qgis.core import (
    Qgis,
    QgsCoordinateTransform,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.gui import QgisInterface, QgsRubberBand
from qgis.PyQt.QtCore import QObject, Qt
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QAction, QDockWidget

from terrafine.qgis_plugin.dock import OBJECT_NAME as DOCK
from terrafine.qgis_plugin.finish.labelling_dock import KEYS, LabellingDock
from terrafine.qgis_plugin.finish.sample_layer import SAMPLED, legend_of
from terrafine.qgis_plugin.finish.tables import outline
from terrafine.qgis_plugin.finish.walk import Walk
from terrafine.qgis_plugin.keys import Keys, chord
from terrafine.qgis_plugin.layers import ROLE
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.qgis_plugin.rasters.raster import open_dataset, raster_file
from terrafine.qgis_plugin.widgets import icon
from terrafine.shared.errors import TerrafineError
from terrafine.shared.geo import Window

MENU = "&Terrafine"
VIEW_PX = 120  # pixels of the map across the view at first
FRAME = "#ff00d0"


class Labelling(QObject):
    """Adds its action to the plugin's menu; everything else is made when that is used."""

    def __init__(self, iface: QgisInterface) -> None:
        super().__init__()
        self._iface, self._canvas = iface, iface.mapCanvas()
        self.dock: Optional[LabellingDock] = None
        self.walk: Optional[Walk] = None
        self._keys: list[Keys] = []
        self._frame: Optional[QgsRubberBand] = None
        self._hidden: list[str] = []  # ids of the layers that would show a class, while they are switched off
        self.action = QAction(icon("terrafine"), self.tr("Label samples…"), iface.mainWindow())
        self.action.setObjectName("TerrafineLabelSamples")
        self.action.triggered.connect(self.open)
        iface.addPluginToRasterMenu(MENU, self.action)

    def close(self) -> None:
        """Take everything away."""
        self._iface.removePluginRasterMenu(MENU, self.action)
        self.action.deleteLater()
        if self.dock is not None:
            self._stop()
            for keys in self._keys:
                keys.remove()
            self.dock.layer.layerChanged.disconnect(self._begin)
            self.dock.visibilityChanged.disconnect(self._seen)
            self._iface.removeDockWidget(self.dock)
            self.dock.deleteLater()
            self.dock = None

    def open(self) -> None:
        """Show the panel, and begin with the layer that is chosen in it."""
        if self.dock is None:
            self._make_dock()
        self.dock.show()
        self.dock.raise_()
        self._begin()

    def _make_dock(self) -> None:
        self.dock = LabellingDock(self._iface.mainWindow())
        self.dock.labelled.connect(self._label)
        self.dock.next_asked.connect(self._next)
        self.dock.back_asked.connect(self._back)
        self.dock.layer.layerChanged.connect(self._begin)
        self.dock.visibilityChanged.connect(self._seen)
        self._iface.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.dock)
        beside = self._iface.mainWindow().findChild(QDockWidget, DOCK)
        if beside is not None and beside.isVisible():
            self._iface.mainWindow().tabifyDockWidget(beside, self.dock)
        numbers = {chord(Qt.Key.Key_1 + place): lambda place=place: self._press(place) for place in range(KEYS)}
        others = {chord(Qt.Key.Key_N): self._next, chord(Qt.Key.Key_Backspace): self._back}
        self._keys = [Keys(widget, {**numbers, **others}, self._is_at_work) for widget in (self._canvas, self.dock)]

    def _is_at_work(self) -> bool:
        return self.walk is not None and self.dock.isVisible()

    # ---- what the user does ----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Start, or go on, with the layer that is chosen."""
        self._stop()
        layer = self.dock.layer.currentLayer()
        classes = legend_of(layer)
        self.dock.show_classes(classes)
        if classes and isinstance(layer, QgsVectorLayer):
            self.walk = Walk(layer)
            layer.willBeDeleted.connect(self._stop)
            self._hide_maps()
        self._show(first=True)

    def _seen(self, visible: bool) -> None:
        """The panel was opened or closed."""
        if not visible and not self.dock.isVisible():
            self._stop()

    def _press(self, place: int) -> None:
        classes = legend_of(self.walk.layer)
        if place < len(classes):
            self._label(classes[place].id)

    def _label(self, class_id: int) -> None:
        if self.walk is None:
            return
        try:
            self.walk.label(class_id)
        except TerrafineError as error:
            self._iface.messageBar().pushMessage("Terrafine", str(error), Qgis.MessageLevel.Warning)
        self.walk.layer.triggerRepaint()
        self._show()

    def _next(self) -> None:
        if self.walk is not None:
            self.walk.skip()
            self._show()

    def _back(self) -> None:
        if self.walk is not None:
            self.walk.back()
            self._show()

    def _stop(self) -> None:
        """Leave the canvas as it was before."""
        if self.walk is not None:
            self.walk.layer.willBeDeleted.disconnect(self._stop)
        self.walk = None
        if self._frame is not None:
            self._canvas.scene().removeItem(self._frame)
            self._frame = None
        for layer_id in self._hidden:
            self._switch(layer_id, True)
        self._hidden = []

    # ---- what the user sees ----------------------------------------------------------------------------------------

    def _show(self, first: bool = False) -> None:
        """The current sample in the middle of the canvas, and how far it has got."""
        feature = self.walk.current() if self.walk else None
        labelled, total = (self.walk.labelled, self.walk.total) if self.walk else (0, 0)
        self.dock.show_progress(self._words(), labelled, total, feature is not None)
        self.dock.back.setEnabled(self.walk is not None and self.walk.can_go_back)
        if feature is not None:
            self._go_to(feature.geometry().asPoint(), first)

    def _words(self) -> str:
        if self.walk is None:
            return self.tr("Choose a layer of samples. Deliver › 1. Draw samples… makes one.")
        if self.walk.current() is None:
            return self.tr("All samples have a label. Next: Deliver › 3. Assess accuracy…")
        return self.tr("Look at the pixel in the frame, and press the number of its class. Zoom as you like.")

    def _go_to(self, point: QgsPointXY, first: bool) -> None:
        layer = self.walk.layer
        pixel = self._pixel(point)
        if self._frame is None:
            self._frame = QgsRubberBand(self._canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
            self._frame.setColor(QColor(FRAME))
            self._frame.setFillColor(QColor(0, 0, 0, 0))
            self._frame.setWidth(1)  # thin, for the pixel is to be seen
        self._frame.setToGeometry(pixel, layer.crs())
        target = self._canvas.mapSettings().destinationCrs()
        seen = QgsCoordinateTransform(layer.crs(), target, QgsProject.instance()).transformBoundingBox(
            pixel.boundingBox()
        )
        self._canvas.setExtent(_around(seen, VIEW_PX) if first else _moved(self._canvas.extent(), seen.center()))
        self._canvas.refresh()

    def _pixel(self, point: QgsPointXY) -> QgsGeometry:
        """The pixel of the map that a sample stands for, in the samples' CRS; a point where the map is gone."""
        sampled = self._map()
        try:
            placement = Placement(open_dataset(raster_file(sampled).path)) if sampled else None
            x, y = placement.to_pixel(point.x(), point.y()) if placement else (0.0, 0.0)
        except (TerrafineError, ValueError):
            placement = None
        if placement is None:
            return QgsGeometry.fromPointXY(point)
        return outline(Window(math.floor(x), math.floor(y), 1, 1), placement)

    def _map(self) -> Optional[QgsRasterLayer]:
        layer = QgsProject.instance().mapLayer(str(self.walk.layer.customProperty(SAMPLED, "")))
        return layer if isinstance(layer, QgsRasterLayer) else None

    def _hide_maps(self) -> None:
        """The map that was sampled, and Terrafine's own layers: maps that it was made of, marks, where to look."""
        layers = QgsProject.instance().mapLayers().values()
        sampled = self.walk.layer.customProperty(SAMPLED, "")
        telling = (layer.id() for layer in layers if layer.id() == sampled or layer.customProperty(ROLE))
        self._hidden = [layer_id for layer_id in telling if self._switch(layer_id, False)]

    def _switch(self, layer_id: str, on: bool) -> bool:
        """Show or hide a layer; has that changed anything?"""
        node = QgsProject.instance().layerTreeRoot().findLayer(layer_id)
        if node is None or node.itemVisibilityChecked() == on:
            return False
        node.setItemVisibilityChecked(on)
        return True


def _around(pixel: QgsRectangle, pixels: int) -> QgsRectangle:
    """A view as many pixels wide, one in its middle."""
    side = max(pixel.width(), pixel.height()) * pixels or 1.0
    return QgsRectangle.fromCenterAndSize(pixel.center(), side, side)


def _moved(view: QgsRectangle, center: QgsPointXY) -> QgsRectangle:
    return QgsRectangle.fromCenterAndSize(center, view.width(), view.height())
