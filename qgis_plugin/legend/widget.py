"""The legend: one row a class with its colour, its name and the number key that picks it."""

from __future__ import annotations

from typing import Sequence

from qgis.PyQt.QtCore import QModelIndex, QRectF, QSize, Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPalette, QPen
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from terrafine.qgis_plugin.names import shown
from terrafine.shared.spec import LandCover

COLOR = Qt.ItemDataRole.UserRole
KEYS = 9  # classes beyond the ninth have no key
ROWS_SHOWN = 9
PADDING = 8
BAR, TINT = 3, 0.18  # width in pixels and opacity of the picked row's marks


class Legend(QListWidget):
    """Emits `class_chosen` with the class id when the user picks a row."""

    class_chosen = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._classes: tuple[LandCover, ...] = ()
        self.setItemDelegate(_Row(self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.itemClicked.connect(lambda item: self.class_chosen.emit(self._classes[self.row(item)].id))

    def show_classes(self, classes: Sequence[LandCover], current: int) -> None:
        """Show `classes`, with the class id `current` picked."""
        if tuple(classes) != self._classes:
            self._classes = tuple(classes)
            self.clear()
            for number, item in enumerate(classes, 1):
                self._add(item, number)
            self.setFixedHeight(self._height())
        row = next((row for row, item in enumerate(classes) if item.id == current), -1)
        if row != self.currentRow():
            self.setCurrentRow(row)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Arrows pick a class. Numbers and letters are the dock's, not a search in the list."""
        if event.text().strip():
            event.ignore()
            return
        before = self.currentRow()
        super().keyPressEvent(event)
        if self.currentRow() not in (before, -1):
            self.class_chosen.emit(self._classes[self.currentRow()].id)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """A right click picks the class that its menu is about."""
        super().mousePressEvent(event)
        if event.button() == Qt.MouseButton.RightButton and self.itemAt(event.pos()) is not None:
            self.class_chosen.emit(self._classes[self.currentRow()].id)

    def _add(self, item: LandCover, number: int) -> None:
        row = QListWidgetItem(shown(item.name))
        row.setData(COLOR, QColor(item.color))
        key = self.tr(" — press {key} to pick it").format(key=number) if number <= KEYS else ""
        row.setToolTip(f"{row.text()}{key}")
        self.addItem(row)

    def _height(self) -> int:
        rows = max(1, min(self.count(), ROWS_SHOWN))
        return rows * max(self.sizeHintForRow(0), 1) + 2 * self.frameWidth()


class _Row(QStyledItemDelegate):
    """Swatch, name, key."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802 - Qt's name
        return QSize(120, option.fontMetrics.height() + 8)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        picked = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if picked:
            self._paint_pick(painter, option)
        self._paint_swatch(painter, option, index.data(COLOR))
        font = painter.font()
        font.setBold(picked)
        painter.setFont(font)
        painter.setPen(option.palette.color(QPalette.ColorGroup.Active, QPalette.ColorRole.Text))
        self._paint_texts(painter, option, index)
        painter.restore()

    def _paint_pick(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        """A tint and a bar in the theme's colour: a full highlight would drown the class's."""
        color = option.palette.color(QPalette.ColorGroup.Active, QPalette.ColorRole.Highlight)
        painter.fillRect(option.rect.adjusted(0, 0, BAR - option.rect.width(), 0), color)
        color.setAlphaF(TINT)
        painter.fillRect(option.rect, color)

    def _paint_swatch(self, painter: QPainter, option: QStyleOptionViewItem, color: QColor) -> None:
        side = option.rect.height() - 12.0
        painter.setPen(QPen(QColor(0, 0, 0, 70), 1.0))
        painter.setBrush(color)
        swatch = QRectF(option.rect.left() + PADDING, option.rect.center().y() - side / 2 + 0.5, side * 1.4, side)
        painter.drawRoundedRect(swatch, 3.0, 3.0)

    def _paint_texts(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        left = PADDING + int((option.rect.height() - 12) * 1.4) + PADDING
        name = option.rect.adjusted(left, 0, -3 * PADDING, 0)
        text = option.fontMetrics.elidedText(index.data(), Qt.TextElideMode.ElideRight, name.width())
        painter.drawText(name, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
        if index.row() < KEYS:
            painter.setOpacity(0.55)
            key = option.rect.adjusted(0, 0, -PADDING, 0)
            painter.drawText(key, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, str(index.row() + 1))
