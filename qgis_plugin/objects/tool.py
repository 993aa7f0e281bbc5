"""The map tool for single objects: drag a box, click inside, correct with left and right clicks, accept with Enter."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsGeometry, QgsPointXY, QgsRectangle
from qgis.gui import QgsMapCanvas, QgsMapMouseEvent
from qgis.PyQt.QtCore import QPoint, Qt, pyqtSignal

from terrafine.qgis_plugin.marks.outline_tools import LEAST_SIDE
from terrafine.qgis_plugin.marks.tools import MarkTool, Surface
from terrafine.qgis_plugin.objects.bands import Bands
from terrafine.shared.objects import Box, ObjectGuide, Points

Click = tuple[bool, tuple[float, float]]  # is it inside the object? and where


class ObjectTool(MarkTool):
    """`drawn` is emitted when an object is accepted.

    guided  an ObjectGuide: find what it shows, and call `show_object`
    unfit   the box is too small or too large
    """

    guided = pyqtSignal(object)
    unfit = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, surface: Surface) -> None:
        super().__init__(canvas, surface)
        self._bands = Bands(canvas)
        self._start: Optional[QPoint] = None
        self._box: Optional[Box] = None
        self._frame: list[QgsPointXY] = []  # the box on the map
        self._clicks: list[Click] = []
        self._outline: Points = ()

    @property
    def guide(self) -> Optional[ObjectGuide]:
        """What was said about the object so far; None before a click inside."""
        inside, outside = (tuple(at for inside, at in self._clicks if inside is wanted) for wanted in (True, False))
        return ObjectGuide(self._box, inside, outside) if self._box is not None and inside else None

    def show_object(self, outline: Points) -> None:
        """What the server found for the guide; nothing if that was given up since."""
        if self.guide is not None:
            self._outline = outline
            self._show()

    def deactivate(self) -> None:
        self.abort()
        super().deactivate()

    # ---- the mouse -------------------------------------------------------------------------------------------------

    def canvasPressEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        self._start = event.pos()

    def canvasDoubleClickEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        self._start = event.pos()  # two quick clicks are two clicks

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        if self._start is not None and not self._clicks and event.buttons() & Qt.MouseButton.LeftButton:
            self._bands.show_frame(self._corners(self._start, event.pos()), self.surface.color())

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        start, self._start = self._start, None
        if start is None:
            return
        is_left, end = event.button() == Qt.MouseButton.LeftButton, event.pos()
        if is_left and not self._clicks and min(abs(end.x() - start.x()), abs(end.y() - start.y())) >= LEAST_SIDE:
            self._take_box(self._corners(start, end))
        elif self._box is not None and (is_left or self._clicks):
            self._click(is_left, event.mapPoint())

    # ---- keys ------------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Accept the object."""
        outline = self._outline
        if outline:
            self.abort()
            self.drawn.emit("polygon", outline, 0.0)

    def abort(self) -> bool:
        was_busy = self._start is not None or self._box is not None
        self._start, self._box, self._frame, self._clicks, self._outline = None, None, [], [], ()
        self._bands.clear()
        return was_busy

    def take_back(self) -> bool:
        """Take back the last click, then the box."""
        if not self._clicks:
            return self.abort()
        self._clicks.pop()
        self._ask()
        return True

    # ---- what comes of it ------------------------------------------------------------------------------------------

    def _take_box(self, corners: list[QgsPointXY]) -> None:
        pixels = [pixel for pixel in map(self._pixel, corners) if pixel is not None]
        box = QgsGeometry.fromMultiPointXY([QgsPointXY(x, y) for x, y in pixels]).boundingBox()
        self.abort()
        if len(pixels) < len(corners) or not self._meets_raster(box):
            self.missed.emit()
            return
        self._box, self._frame = (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()), corners
        try:
            ObjectGuide(self._box)
        except ValueError:
            self.abort()
            self.unfit.emit()
            return
        self._show()

    def _click(self, is_inside: bool, point: QgsPointXY) -> None:
        pixel = self._pixel(point)
        if pixel is None or not self._inside(pixel):
            self.missed.emit()
            return
        self._clicks.append((is_inside, pixel))
        self._ask()

    def _ask(self) -> None:
        """Show the clicks at once, and ask what they mean."""
        guide = self.guide
        if guide is None:
            self._outline = ()
        self._show()
        if guide is not None:
            self.guided.emit(guide)

    def _show(self) -> None:
        locator, color = self.surface.locator(), self.surface.color()
        if locator is None:
            return
        self._bands.show_frame(self._frame, color)
        self._bands.show_outline([locator.point(x, y) for x, y in self._outline], color)
        self._bands.show_clicks([(is_inside, locator.point(*at)) for is_inside, at in self._clicks])

    def _corners(self, start: QPoint, end: QPoint) -> list[QgsPointXY]:
        """Straight on the screen, also where the map is turned."""
        places = (start.x(), start.y()), (end.x(), start.y()), (end.x(), end.y()), (start.x(), end.y())
        return [self.toMapCoordinates(QPoint(x, y)) for x, y in places]

    def _meets_raster(self, box: QgsRectangle) -> bool:
        locator = self.surface.locator()
        window = locator.placement.window if locator else None
        return window is not None and box.intersects(QgsRectangle(0, 0, window.width, window.height))
