"""What hands do besides pressing words: drop files, drag handles, click rows, go through a layer's menu."""

from __future__ import annotations

from pathlib import Path

from hands import LEFT, NONE, POPUP_S, Hands
from qgis.core import QgsMapLayer
from qgis.PyQt.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from qgis.PyQt.QtGui import QContextMenuEvent, QDragEnterEvent, QDropEvent, QMouseEvent
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication, QListWidget, QSlider, QStyle, QStyleOptionSlider


class Reach(Hands):
    def drop(self, file: Path) -> None:
        """Drag a file from the file manager onto the window."""
        what, place = QMimeData(), self.window.rect().center()
        what.setUrls([QUrl.fromLocalFile(str(file))])
        for kind, at in ((QDragEnterEvent, place), (QDropEvent, QPointF(place))):
            QApplication.sendEvent(self.window, kind(at, Qt.DropAction.CopyAction, what, LEFT, NONE))

    def slide(self, words: str, percent: int) -> None:
        """Drag the handle of the slider beside some words."""
        slider = self._field(words, QSlider)
        places = [self._on_slider(slider, value) for value in (slider.value(), percent)]
        QTest.mousePress(slider, LEFT, NONE, places[0])
        event = QMouseEvent(QEvent.Type.MouseMove, QPointF(places[1]), Qt.MouseButton.NoButton, LEFT, NONE)
        QApplication.sendEvent(slider, event)
        QTest.mouseRelease(slider, LEFT, NONE, places[1])

    def _on_slider(self, slider: QSlider, value: int) -> QPoint:
        """The middle of the handle when the slider has a value."""
        style, how = slider.style(), QStyleOptionSlider()
        slider.initStyleOption(how)
        how.sliderPosition = value
        return style.subControlRect(
            QStyle.ComplexControl.CC_Slider, how, QStyle.SubControl.SC_SliderHandle, slider
        ).center()

    def click_row(self, rows: QListWidget, row: int) -> None:
        rows.scrollToItem(rows.item(row))
        QTest.mouseClick(rows.viewport(), LEFT, NONE, rows.visualItemRect(rows.item(row)).center())

    def layer_menu(self, layer: QgsMapLayer, *path: str) -> None:
        """Right click a layer and go through the menu: layer_menu(layer, "Export", "Save As…")."""
        self.used.append(" › ".join(path))
        view = self.iface.layerTreeView()
        view.setCurrentLayer(layer)
        at = view.visualRect(view.currentIndex()).center()

        def choose() -> None:
            for words in path:
                self._click_entry(QApplication.activePopupWidget(), words)
                self.pause(POPUP_S)

        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, view.viewport().mapToGlobal(at))
        self._meanwhile(POPUP_S, choose, lambda: QApplication.sendEvent(view.viewport(), event))
