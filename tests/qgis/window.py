"""A QGIS main window in small, for the plugin to live in: real canvas, message bar, tool bar and menu."""

from __future__ import annotations

from qgis.core import QgsCoordinateReferenceSystem, QgsMapLayer, QgsProject, QgsRectangle
from qgis.gui import QgsLayerTreeMapCanvasBridge, QgsMapCanvas, QgsMapToolPan, QgsMessageBar, QgsMessageBarItem
from qgis.PyQt.QtCore import QEvent, QPoint, QPointF, Qt
from qgis.PyQt.QtGui import QMouseEvent
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QAction, QApplication, QDockWidget, QMainWindow, QMenu

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


class Window(QMainWindow):
    """Stands in for QgisInterface: the calls a plugin makes do what they do in QGIS."""

    def __init__(self) -> None:
        super().__init__()
        self.resize(900, 700)
        self.canvas = QgsMapCanvas()
        self.canvas.setObjectName("canvas")
        self.setCentralWidget(self.canvas)
        self.bar = QgsMessageBar(self.canvas)
        self._said: dict[QgsMessageBarItem, str] = {}  # an item is added anew when one above it goes
        self.bar.widgetAdded.connect(self._hear)
        self.toolbar = self.addToolBar("Plugins")
        self.raster_menu = self.menuBar().addMenu("Raster")
        self.menus: dict[str, QMenu] = {}
        self.save_as = QAction("Save Layer As…", self)
        self.bridge = QgsLayerTreeMapCanvasBridge(QgsProject.instance().layerTreeRoot(), self.canvas, self.canvas)
        self.pan = QgsMapToolPan(self.canvas)
        self.canvas.setMapTool(self.pan)
        self.show()

    # ---- QgisInterface ---------------------------------------------------------------------------------------------

    def mainWindow(self) -> QMainWindow:  # noqa: N802
        return self

    def mapCanvas(self) -> QgsMapCanvas:  # noqa: N802
        return self.canvas

    def mapCanvases(self) -> list[QgsMapCanvas]:  # noqa: N802
        return [self.canvas]

    def messageBar(self) -> QgsMessageBar:  # noqa: N802
        return self.bar

    def addToolBarIcon(self, action: QAction) -> None:  # noqa: N802
        self.toolbar.addAction(action)

    def removeToolBarIcon(self, action: QAction) -> None:  # noqa: N802
        self.toolbar.removeAction(action)

    def rasterMenu(self) -> QMenu:  # noqa: N802
        return self.raster_menu

    def addPluginToRasterMenu(self, name: str, action: QAction) -> None:  # noqa: N802
        if name not in self.menus:
            self.menus[name] = self.raster_menu.addMenu(name)
        self.menus[name].addAction(action)

    def removePluginRasterMenu(self, name: str, action: QAction) -> None:  # noqa: N802
        self.menus[name].removeAction(action)
        if self.menus[name].isEmpty():
            self.raster_menu.removeAction(self.menus.pop(name).menuAction())

    def removeDockWidget(self, dock: QDockWidget) -> None:  # noqa: N802
        super().removeDockWidget(dock)

    def setActiveLayer(self, layer: QgsMapLayer) -> bool:  # noqa: N802
        self.active_layer = layer
        return True

    def actionLayerSaveAs(self) -> QAction:  # noqa: N802
        return self.save_as

    # ---- the user's hands ------------------------------------------------------------------------------------------

    def look_at(self, extent: QgsRectangle, crs: QgsCoordinateReferenceSystem | None = None) -> None:
        if crs is not None:
            QgsProject.instance().setCrs(crs)
            self.canvas.setDestinationCrs(crs)
        self.canvas.setExtent(extent)
        self.canvas.waitWhileRendering()

    def click(self, at: QPoint, button: Qt.MouseButton = LEFT) -> None:
        QTest.mouseClick(self.canvas.viewport(), button, NONE, at)

    def drag(self, *path: QPoint) -> None:
        """Press at the first point, move along the others with the button held, release at the last."""
        view = self.canvas.viewport()
        QTest.mousePress(view, LEFT, NONE, path[0])
        for point in path[1:]:
            event = QMouseEvent(QEvent.Type.MouseMove, QPointF(point), Qt.MouseButton.NoButton, LEFT, NONE)
            QApplication.sendEvent(view, event)
        QTest.mouseRelease(view, LEFT, NONE, path[-1])

    def _hear(self) -> None:
        for item in self.bar.items():
            self._said.setdefault(item, item.text())

    def messages(self) -> list[str]:
        """All that the message bar has shown, the newest last: there it disappears after some seconds."""
        return list(self._said.values())
