"""The swipe: left of a line that follows the mouse, the canvas shows the map of before."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsMapRendererParallelJob, QgsMapSettings, QgsRasterLayer
from qgis.gui import QgsMapCanvas, QgsMapCanvasItem, QgsMapMouseEvent, QgsMapTool
from qgis.PyQt.QtCore import QPointF, QRect, QRectF, Qt
from qgis.PyQt.QtGui import QColor, QCursor, QImage, QPainter, QPen
from qgis.PyQt.QtWidgets import QWidget

GAP_PX = 6  # around the words beside the line
INK, GROUND = QColor("#ffffff"), QColor(20, 30, 40, 170)
STEPS = 40  # of a key from one side of the canvas to the other


class Swipe(QgsMapTool):
    """Compares two layers in place: `now`, which the canvas shows, and `before`, which it does not."""

    def __init__(self, canvas: QgsMapCanvas) -> None:
        super().__init__(canvas)
        self.setCursor(QCursor(Qt.CursorShape.SplitHCursor))
        self._now: Optional[QgsRasterLayer] = None
        self._before: Optional[QgsRasterLayer] = None
        self._previous: Optional[QgsMapTool] = None
        self._curtain: Optional[_Curtain] = None
        self._job: Optional[QgsMapRendererParallelJob] = None

    @property
    def is_on(self) -> bool:
        return self._curtain is not None

    @property
    def is_drawn(self) -> bool:
        """Does the canvas show what it is compared with already?"""
        return self._curtain is not None and self._curtain.has_image

    @property
    def place(self) -> Optional[int]:
        """Screen pixels from the canvas's left edge to the line; None while nothing is compared."""
        return self._curtain.place if self._curtain else None

    def begin(self, now: QgsRasterLayer, before: QgsRasterLayer) -> None:
        """Put `before` left of the line, which starts in the middle; it looks as `now` does."""
        self._now, self._before = now, before
        self._previous = self.canvas().mapTool()
        self._curtain = _Curtain(self.canvas(), self.tr("before"), self.tr("now"))
        self.canvas().setMapTool(self)
        self.canvas().renderComplete.connect(self._render)
        self.canvas().extentsChanged.connect(self._curtain.clear)
        self._render()

    def end(self) -> None:
        """Go back to the tool from before."""
        if not self.is_on:
            return
        if self._previous is not None:
            self.canvas().setMapTool(self._previous)
        else:
            self.canvas().unsetMapTool(self)

    def deactivate(self) -> None:
        """Another tool is used."""
        if self._curtain is not None:
            self.canvas().renderComplete.disconnect(self._render)
            self.canvas().extentsChanged.disconnect(self._curtain.clear)
            self.canvas().scene().removeItem(self._curtain)
            self._stop()
            self._curtain = self._now = self._before = None
        super().deactivate()

    def step(self, direction: int) -> None:
        """Move the line without the mouse: −1 to the left, 1 to the right."""
        if self._curtain is not None:
            width = self.canvas().width()
            self._curtain.move(min(max(self._curtain.place + direction * width // STEPS, 0), width))

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802 - QGIS's name
        if self._curtain is not None:
            self._curtain.move(event.pos().x())

    def _render(self, *_: object) -> None:
        """Draw what the canvas shows once more, in the background, with the one layer in the other's place."""
        self._stop()
        self._before.setOpacity(self._now.opacity())
        settings = QgsMapSettings(self.canvas().mapSettings())
        shown = [self._before if layer is self._now else layer for layer in settings.layers()]
        settings.setLayers(shown)
        self._job = QgsMapRendererParallelJob(settings)
        self._job.finished.connect(self._show)
        self._job.start()

    def _show(self) -> None:
        if self._curtain is not None and self._job is not None:
            self._curtain.show_image(self._job.renderedImage())

    def _stop(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.finished.disconnect(self._show)
            job.cancel()


class _Curtain(QgsMapCanvasItem):
    """The picture of before, drawn up to the line."""

    def __init__(self, canvas: QgsMapCanvas, left: str, right: str) -> None:
        super().__init__(canvas)
        self._canvas, self._left, self._right = canvas, left, right
        self._image: Optional[QImage] = None
        self.place = canvas.width() // 2
        self.setZValue(1000.0)

    @property
    def has_image(self) -> bool:
        return self._image is not None

    def move(self, place: int) -> None:
        self.place = place
        self.update()

    def show_image(self, image: QImage) -> None:
        self._image = image
        self.update()

    def clear(self) -> None:
        """The picture is of another part of the world."""
        self._image = None
        self.update()

    def boundingRect(self) -> QRectF:  # noqa: N802 - Qt's name
        return QRectF(self._canvas.rect())

    def paint(self, painter: QPainter, _option: object = None, _widget: Optional[QWidget] = None) -> None:
        height = self._canvas.height()
        painter.save()
        painter.translate(-self.pos())
        if self._image is not None:
            sharp = self._image.devicePixelRatio()
            target = QRect(0, 0, self.place, height)
            painter.drawImage(target, self._image, QRect(0, 0, round(self.place * sharp), round(height * sharp)))
            self._write_words(painter)
        painter.setPen(QPen(INK, 2.0))
        painter.drawLine(QPointF(self.place, 0.0), QPointF(self.place, height))
        painter.restore()

    def _write_words(self, painter: QPainter) -> None:
        """Write on each side which map it shows."""
        painter.setPen(QPen(INK, 2.0))
        width = painter.fontMetrics().horizontalAdvance(self._left)
        self._write(painter, self._left, self.place - width - 3 * GAP_PX)
        self._write(painter, self._right, self.place + GAP_PX)

    def _write(self, painter: QPainter, text: str, left: int) -> None:
        metrics = painter.fontMetrics()
        box = QRect(left, GAP_PX, metrics.horizontalAdvance(text) + 2 * GAP_PX, metrics.height() + GAP_PX)
        painter.fillRect(box, GROUND)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
