"""Somebody who follows the guide: hands, and a sense of where things lie in the image and when QGIS is done."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from hands import DIALOG_S
from osgeo import gdal
from places import Place, Position, Stroke
from qgis.core import QgsPointXY, QgsProject, QgsRasterLayer, QgsRectangle
from qgis.PyQt.QtCore import QPoint, QRect, QSize, Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QDockWidget, QWidget
from qgis.utils import plugins
from reach import Reach

VOID, LAND = 255, 1  # what the truth does not say is taken for bare ground
EXPORT_S = 5.0  # until the way through a layer's menu is behind one
TABLE = (1000, 260)
AROUND_PX = (320, 260)  # of the screen, in a picture of one mistake


class User(Reach):
    @property
    def plugin(self):
        return plugins["terrafine"]

    @property
    def dock(self):
        return self.plugin.dock

    @property
    def controller(self):
        return self.plugin.bench.controller

    def open_image(self, place: Place) -> None:
        """Drop the file on QGIS, in a new project."""
        self.iface.newProject(False)
        self.pause(0.5)  # or QGIS takes the image for one of the project's before
        self.drop(Path(place.raster))
        name = Path(place.raster).stem
        self.until(lambda: bool(QgsProject.instance().mapLayersByName(name)), "QGIS has opened the image")
        self.pause(1.0)  # QGIS zooms to a new layer when it gets round to it

    def look_at(self, view: tuple[Position, Position]) -> None:
        """Zoom and pan, as with the wheel."""
        (left, top), (right, bottom) = view
        raster = self.dock.map.current_raster()
        extent, size = raster.extent(), (raster.width(), raster.height())
        x = [extent.xMinimum() + extent.width() * at / size[0] for at in (left, right)]
        y = [extent.yMaximum() - extent.height() * at / size[1] for at in (top, bottom)]
        shown = QgsRectangle(x[0], y[1], x[1], y[0])
        self.canvas.setExtent(self.canvas.mapSettings().layerExtentToOutputExtent(raster, shown))
        self.canvas.refresh()
        self.canvas.waitWhileRendering()

    def see_more_of_the_image(self) -> None:
        """Drag the map's opacity down, and back."""
        now = self.dock.marks.opacity.value()
        for percent in (30, now):
            self.slide("Map opacity", percent)
            assert abs(100 * self.layer_of_map().opacity() - percent) < 5

    def layer_of_map(self) -> QgsRasterLayer:
        return self.plugin.bench.sessions.of(self.controller.session).map.layer

    # ---- patience --------------------------------------------------------------------------------------------------

    def wait_for_server(self) -> None:
        self.until(lambda: self.controller.link.name == "ONLINE", "the server is there")

    def need_server(self) -> None:
        """Start one, as job 1 says, unless there is one from before."""
        if self.controller.link.name != "ONLINE":
            self.press("Start local server")
            self.used.remove("Start local server")
            self.wait_for_server()

    def wait_for_before(self) -> None:
        self.until(lambda: self.plugin.desk.learn.swipe.is_drawn, "the map of before is there")

    def settle(self) -> None:
        """Until nothing is under way."""
        self.pause(0.05)
        self.until(lambda: self.controller.work is None, "the work is done")
        self.canvas.waitWhileRendering()

    # ---- marks -----------------------------------------------------------------------------------------------------

    def number(self, number: int) -> None:
        """Pick a class by its key."""
        self.key(Qt.Key.Key_0 + number)

    def mark_point(self, number: int, at: Position) -> None:
        self.number(number)
        self.click(self._point(at))
        self.settle()

    def mark_stroke(self, stroke: Stroke) -> None:
        self.number(stroke.number)
        self.drag([self._point(at) for at in stroke.path])
        self.settle()

    def outline(self, corners: tuple[Position, ...]) -> None:
        """Click the corners, then the right button."""
        for at in corners:
            self.click(self._point(at))
        self.click(self._point(corners[-1]), Qt.MouseButton.RightButton)
        self.settle()

    def around(self, at: Position) -> QRect:
        """A part of the canvas with a position of the image in its middle."""
        width, height = AROUND_PX
        return QRect(self._on_screen(self._point(at)) - QPoint(width // 2, height // 2), QSize(width, height))

    def _point(self, at: Position) -> QgsPointXY:
        return self.plugin.bench.locator().point(*at)

    def go_back_in_history(self) -> None:
        """Click a step of the history to go back to it, and the last one to be where one was."""
        steps, marks = self.dock.history.steps, len(self.controller.session.log.marks)
        for row, left in ((1, 1), (steps.count() - 1, marks)):
            self.click_row(steps, row)
            self.settle()
            assert len(self.controller.session.log.marks) == left

    # ---- the project -----------------------------------------------------------------------------------------------

    def save_project(self, place: Place) -> None:
        path = Path(place.raster).with_suffix(".qgz")
        self.save_as(path, lambda: self.menu("Project", "Save As…"))
        self.until(lambda: Path(QgsProject.instance().fileName()) == path, "the project is saved")

    def open_project(self, place: Place) -> None:
        self.iface.addProject(str(Path(place.raster).with_suffix(".qgz")))
        self.pause(1.0)
        self.canvas.waitWhileRendering()

    def save_model(self) -> str:
        """Take the name and title that are proposed; the title."""
        title = self.dialog("Save as a model").title.text()
        self.press("Save")
        self.until(lambda: self.dock.map.model.findText(title) >= 0, "the model is in the list")
        return title

    # ---- the toolbox -----------------------------------------------------------------------------------------------

    def run_algorithm(self, name: str, choices: dict[str, str], files: Optional[dict[str, Path]] = None) -> None:
        """Find an algorithm in the toolbox, choose layers and files for it, run it."""
        self.used.append(name)
        toolbox = self.window.findChild(QWidget, "ProcessingToolbox")
        toolbox.searchBox.clear()
        QTest.keyClicks(toolbox.searchBox, name)
        self.pause(0.3)
        enter = lambda: QTest.keyClick(toolbox.searchBox, Qt.Key.Key_Return)  # noqa: E731
        self._meanwhile(DIALOG_S, lambda: self._fill_in_and_run(name, choices, files or {}), enter)

    def run_on_the_map(self, entry: str, title: str) -> None:
        """Choose an algorithm for the map that is worked on, and run it as it opens."""
        self.menu_of("Deliver", entry)
        self.dialog(title)
        self._run(title)

    def _fill_in_and_run(self, name: str, choices: dict[str, str], files: dict[str, Path]) -> None:
        self.dialog(name)
        for words, value in choices.items():
            self.choose(words, value)
        for words, path in files.items():
            self.type_into(words, str(path))
        self._run(name)

    def _run(self, name: str) -> None:
        before = len(QgsProject.instance().mapLayers())
        self.press("Run")
        self.until(lambda: len(QgsProject.instance().mapLayers()) > before, f"'{name}' is done")
        self.press("Close")

    def export(self, layer: str, entry: str, path: Path) -> None:
        """Right click a layer, and export it under a name."""

        def fill_in() -> None:
            self.type_into("File name", str(path))
            self.press("OK")

        self._meanwhile(EXPORT_S, fill_in, lambda: self.layer_menu(self.layer(layer), "Export", entry))
        self.until(path.is_file, f"'{layer}' is exported")

    def tidy_up(self, place: Place) -> None:
        """Close the panels of before, and look at all that was done."""
        for dock in self.window.findChildren(QDockWidget):
            if dock.objectName() not in ("Layers", "TerrafineDock"):
                dock.close()
        root = QgsProject.instance().layerTreeRoot()
        root.findLayer(self.layer("Samples").id()).setItemVisibilityChecked(False)
        self.look_at(place.view)

    def picture_of_table(self, layer: str, name: str) -> None:
        """Open a layer's attribute table, and close it again."""
        table = self.iface.showAttributeTable(self.layer(layer))
        table.resize(*TABLE)
        self.pause(0.5)
        self.picture(name, table)
        table.close()

    def label_all(self, place: Place) -> None:
        """Look at each sample, and press the number of what is really there."""
        truth = gdal.Open(place.truth)
        inverse, classes = gdal.InvGeoTransform(truth.GetGeoTransform()), truth.ReadAsArray()
        walk = self.plugin.labelling.walk
        while walk.current() is not None:
            point = walk.current().geometry().asPoint()
            x, y = gdal.ApplyGeoTransform(inverse, point.x(), point.y())
            known = classes[int(y), int(x)]
            self.number(1 + int(known if known != VOID else LAND))

    def connect_to(self, address: str) -> None:
        """A server that runs already."""
        self.dock.server.show_address()
        self.fill(self.dock.server.address, address)
        QTest.keyClick(self.dock.server.address, Qt.Key.Key_Return)
        self.wait_for_server()
