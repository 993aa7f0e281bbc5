"""Repainting the part of the map that has changed, and no more.

QGIS keeps a picture of each layer that the canvas shows; a layer that asks to be repainted is read and drawn whole.
Here the layer asks for that to happen when the canvas is drawn next, for whatever reason. Until then the changed part
of the map, drawn with all layers, lies over the canvas's picture. What is out of the ordinary is left to QGIS: layers
that look different in another extent or come over the network, a view that has moved on, a map without a place for the
change.
"""

from __future__ import annotations

from typing import Optional, Sequence

from qgis.core import QgsMapLayer, QgsMapRendererParallelJob, QgsMapSettings, QgsRectangle
from qgis.gui import QgisInterface
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QObject, QRect, QSize, pyqtSignal
from qgis.PyQt.QtGui import QPainter

from terrafine.qgis_plugin.maps.overlay import Overlay
from terrafine.qgis_plugin.maps.part import box_of, can_be_rendered_in_part, settings_of_part

View = tuple[QgsRectangle, QSize, float, str]


class Repainter(QObject):
    """Shows on QGIS's canvas what has changed in layers.

    painted  a box of the canvas's pixels, QRect, shows what is new
    """

    painted = pyqtSignal(QRect)

    def __init__(self, iface: QgisInterface) -> None:
        super().__init__()
        self._iface, self._canvas = iface, iface.mapCanvas()
        self._overlay = Overlay(self._canvas)
        self._shown: Optional[View] = None  # by the canvas's picture; None while it is being drawn
        self._waiting: list[tuple[QgsMapLayer, Sequence[QgsRectangle]]] = []  # for the canvas to be drawn
        self._next = QRect()
        self._job: Optional[QgsMapRendererParallelJob] = None
        self._finished: Optional[QgsMapRendererParallelJob] = None
        self._box = QRect()  # that the job draws
        self._canvas.renderStarting.connect(self._make_way)
        self._canvas.renderComplete.connect(self._see)
        self._canvas.mapCanvasRefreshed.connect(self._go_on)

    def close(self) -> None:
        """Leave the canvas as it was found."""
        self._canvas.renderStarting.disconnect(self._make_way)
        self._canvas.renderComplete.disconnect(self._see)
        self._canvas.mapCanvasRefreshed.disconnect(self._go_on)
        self._stop()
        self._canvas.scene().removeItem(self._overlay)

    @property
    def is_busy(self) -> bool:
        """Is there anything new that the canvas does not show yet?"""
        return self._job is not None or bool(self._waiting) or self._canvas.isDrawing()

    def repaint(self, layer: QgsMapLayer, extents: Sequence[QgsRectangle]) -> None:
        """Show what has changed in extents, in the layer's CRS."""
        settings = self._canvas.mapSettings()
        if self._canvas.isDrawing() and layer in settings.layers():
            self._waiting.append((layer, extents))  # it may have been read already
            return
        box = box_of(layer, extents, settings) if self._can_be_patched(layer, settings) else None
        layer.triggerRepaint(box is not None)
        if box is not None:
            self._refresh_others(layer)
            self._next = self._next.united(box)
            self._render_next()

    def _can_be_patched(self, layer: QgsMapLayer, settings: QgsMapSettings) -> bool:
        is_shown = self._canvas.renderFlag() and not self._canvas.isFrozen() and layer in settings.layers()
        return is_shown and self._shown == _view(settings) and can_be_rendered_in_part(settings)

    def _refresh_others(self, layer: QgsMapLayer) -> None:
        """Other canvases draw the layer whole."""
        for canvas in self._iface.mapCanvases():
            if canvas is not self._canvas and layer in canvas.layers():
                canvas.refresh()

    # ---- the canvas draws ------------------------------------------------------------------------------------------

    def _make_way(self) -> None:
        """What the canvas begins to draw holds all changes so far."""
        self._shown = None
        self._stop()

    def _see(self, _painter: QPainter) -> None:
        if self._canvas.isDrawing():  # else it was us who said so
            self._shown = _view(self._canvas.mapSettings())
            self._overlay.clear()

    def _go_on(self) -> None:
        if self._shown is None:  # the drawing was broken off
            return
        waiting, self._waiting = self._waiting, []
        for layer, extents in waiting:
            if not sip.isdeleted(layer):
                self.repaint(layer, extents)

    # ---- we draw ---------------------------------------------------------------------------------------------------

    def _render_next(self) -> None:
        """Draw in the background; what changes meanwhile is next."""
        if self._job is not None or self._next.isEmpty():
            return
        self._box, self._next = self._next, QRect()
        self._job = QgsMapRendererParallelJob(settings_of_part(self._canvas.mapSettings(), self._box))
        self._job.finished.connect(self._put)
        self._job.start()

    def _put(self) -> None:
        job, self._job = self._job, None
        self._finished = job  # it is at its signal: it may go when the next one is done
        if job is not None:
            self._overlay.put(job.renderedImage(), self._box, self._canvas.mapSettings())
            self.painted.emit(self._box)
            self._render_next()

    def _stop(self) -> None:
        self._next = QRect()
        job, self._job = self._job, None
        if job is not None:
            job.finished.disconnect(self._put)
            job.cancel()


def _view(settings: QgsMapSettings) -> View:
    """What tells one view from another."""
    return settings.visibleExtent(), settings.outputSize(), settings.rotation(), settings.destinationCrs().authid()
