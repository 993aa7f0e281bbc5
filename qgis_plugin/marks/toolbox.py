"""The map tools together: which one is in use, and the way back to the tool that was used before."""

from __future__ import annotations

from typing import Optional

from qgis.gui import QgsMapCanvas, QgsMapTool
from qgis.PyQt.QtCore import QObject, pyqtSignal

from terrafine.qgis_plugin.marks.outline_tools import LockTool, PolygonTool, RectangleTool
from terrafine.qgis_plugin.marks.pointing_tools import EraserTool, PickTool, UnlockTool
from terrafine.qgis_plugin.marks.tools import MarkTool, PointTool, StrokeTool, Surface
from terrafine.qgis_plugin.objects.tool import ObjectTool

DRAWING = ("point", "stroke", "polygon", "rectangle", "object")


class Toolbox(QObject):
    """Emits `changed` with the name of our tool in use, "" for none."""

    changed = pyqtSignal(str)

    def __init__(self, canvas: QgsMapCanvas, surface: Surface) -> None:
        super().__init__()
        self._canvas = canvas
        self._before: Optional[QgsMapTool] = None
        self.stroke, self.pick = StrokeTool(canvas, surface), PickTool(canvas, surface)
        self.lock, self.unlock = LockTool(canvas, surface), UnlockTool(canvas, surface)
        self.object = ObjectTool(canvas, surface)
        self.tools: dict[str, MarkTool] = {
            "point": PointTool(canvas, surface),
            "stroke": self.stroke,
            "polygon": PolygonTool(canvas, surface),
            "rectangle": RectangleTool(canvas, surface),
            "object": self.object,
            "eraser": EraserTool(canvas, surface),
            "pick": self.pick,
            "lock": self.lock,
            "unlock": self.unlock,
        }
        self._drew = "point"  # the tool that drew last
        canvas.mapToolSet.connect(self._tool_set)

    @property
    def current(self) -> str:
        """Name of our tool in use, "" for none."""
        return self._name(self._canvas.mapTool())

    def choose(self, name: str) -> None:
        """Use one of the tools; "" goes back to the tool from before."""
        if name:
            self._canvas.setMapTool(self.tools[name])
        elif self.current:
            self._go_back()

    def draw_again(self) -> None:
        """Use the tool that drew last."""
        self.choose(self._drew)

    def pick_under_cursor(self) -> None:
        """Ask for the class where the mouse is."""
        place = self._canvas.mouseLastXY()
        self.pick.pick(self._canvas.getCoordinateTransform().toMapCoordinates(place))

    def take_back(self) -> bool:
        """Remove the last vertex of what is being drawn; False if nothing is."""
        tool = self.tools.get(self.current)
        return tool is not None and tool.take_back()

    def finish(self) -> None:
        """Complete what is being drawn."""
        if self.current:
            self.tools[self.current].finish()

    def show_width(self) -> None:
        """Follow a change of the stroke's width or colour."""
        if self.current == "stroke":
            self.stroke.show_width()

    def escape(self) -> None:
        """Give up what is being drawn, else go back to the tool from before."""
        tool = self.tools.get(self.current)
        if tool is not None and not tool.abort():
            self._go_back()

    def close(self) -> None:
        """Leave the canvas as it was found."""
        self.choose("")
        self._canvas.mapToolSet.disconnect(self._tool_set)
        for tool in self.tools.values():
            tool.deleteLater()

    def _go_back(self) -> None:
        if self._before is not None:
            self._canvas.setMapTool(self._before)
        else:
            self._canvas.unsetMapTool(self._canvas.mapTool())

    def _tool_set(self, new: Optional[QgsMapTool], old: Optional[QgsMapTool]) -> None:
        if self._name(new) and not self._name(old):
            self._before = old
        if self._name(new) in DRAWING:
            self._drew = self._name(new)
        self.changed.emit(self._name(new))

    def _name(self, tool: Optional[QgsMapTool]) -> str:
        return next((name for name, ours in self.tools.items() if ours is tool), "")
