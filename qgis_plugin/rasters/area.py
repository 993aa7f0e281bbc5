"""The area to classify: what the map shows, the whole layer, or a rectangle drawn on the map."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsProject, QgsRasterLayer, QgsRectangle
from qgis.gui import QgsMapCanvas, QgsMapTool, QgsMapToolExtent
from qgis.PyQt.QtCore import QObject, pyqtSignal

from terrafine.qgis_plugin.rasters.placement import Locator, Placement
from terrafine.qgis_plugin.rasters.raster import open_dataset
from terrafine.shared.geo import Window

VIEW, LAYER, RECTANGLE = "view", "layer", "rectangle"


class Area(QObject):
    """Emits `changed` when another rectangle was drawn or the view has moved."""

    changed = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, choice: str) -> None:
        super().__init__()
        self.choice = choice
        self._canvas = canvas
        self._rectangle = QgsRectangle()
        self._tool = QgsMapToolExtent(canvas)
        self._tool.extentChanged.connect(self._drawn)
        self._before: Optional[QgsMapTool] = None
        self._placements: dict[str, Placement] = {}
        canvas.extentsChanged.connect(self.changed)
        canvas.destinationCrsChanged.connect(self.changed)

    def choose(self, choice: str) -> None:
        """Take one of VIEW, LAYER and RECTANGLE; the last lets the user draw."""
        self.choice = choice
        if choice == RECTANGLE:
            self._before = self._canvas.mapTool()
            self._canvas.setMapTool(self._tool)
        self.changed.emit()

    def locator(self, raster: QgsRasterLayer) -> Locator:
        """Canvas ⇄ pixels of a raster layer; raises UnusableRaster where its file cannot be opened."""
        source = raster.source()
        if source not in self._placements:
            self._placements[source] = Placement(open_dataset(source))
        map_crs = self._canvas.mapSettings().destinationCrs()
        return Locator(self._placements[source], raster.crs(), map_crs, QgsProject.instance().transformContext())

    def window(self, raster: QgsRasterLayer) -> Window:
        """The chosen area in the raster's pixels; empty where it does not meet the raster."""
        locator = self.locator(raster)
        if self.choice == LAYER:
            return locator.placement.window
        return locator.window(self._rectangle if self.choice == RECTANGLE else self._canvas.extent())

    def extent(self, raster: QgsRasterLayer) -> QgsRectangle:
        """The chosen area in the map's CRS, for layers that have no pixels of their own."""
        if self.choice == LAYER:
            return self._canvas.mapSettings().layerExtentToOutputExtent(raster, raster.extent())
        return self._rectangle if self.choice == RECTANGLE else self._canvas.extent()

    def close(self) -> None:
        self._canvas.extentsChanged.disconnect(self.changed)
        self._canvas.destinationCrsChanged.disconnect(self.changed)
        self._canvas.unsetMapTool(self._tool)
        self._tool.deleteLater()

    def _drawn(self, extent: QgsRectangle) -> None:
        self._rectangle = QgsRectangle(extent)
        if self._canvas.mapTool() is self._tool and self._before is not None:
            self._canvas.setMapTool(self._before)
        self.changed.emit()
