"""Small pieces that the dock's panels share."""

from __future__ import annotations

from pathlib import Path

from qgis.PyQt.QtCore import QSize, Qt
from qgis.PyQt.QtGui import QColor, QFont, QIcon, QPainter, QPaintEvent, QPalette, QPixmap
from qgis.PyQt.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QToolButton, QWidget

ICONS = Path(__file__).resolve().parent / "icons"
ICON_PX = 20
LIGHT_PX = 10
QUIET = 0.62  # opacity of quiet text


def icon(name: str) -> QIcon:
    """One of the plugin's icons."""
    return QIcon(str(ICONS / f"{name}.svg"))


def tool_button(name: str, tip: str, checkable: bool = False) -> QToolButton:
    """A flat button with an icon; `tip` also names it for screen readers."""
    button = QToolButton()
    button.setObjectName(name)
    button.setIcon(icon(name))
    button.setIconSize(QSize(ICON_PX, ICON_PX))
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # not by a click: keys go on working on the map
    button.setAutoRaise(True)
    button.setCheckable(checkable)
    return button


def heading(text: str) -> QLabel:
    label = QLabel(text)
    font = QFont(label.font())
    font.setBold(True)
    label.setFont(font)
    return label


def fold(text: str, tip: str) -> QToolButton:
    """A heading with an arrow, checked where what is below it is open."""
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setFont(heading(text).font())
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setAutoRaise(True)
    button.setCheckable(True)
    button.setStyleSheet("QToolButton { border: none; padding: 0; background: transparent; }")
    show = lambda is_open: button.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)  # noqa: E731
    button.toggled.connect(show)
    button.setChecked(True)
    return button


def note() -> QLabel:
    """Quiet text that wraps, legible in light and dark themes."""
    label = QLabel()
    label.setWordWrap(True)
    palette = label.palette()
    ink = palette.color(QPalette.ColorRole.WindowText)
    ink.setAlphaF(QUIET)
    palette.setColor(QPalette.ColorRole.WindowText, ink)
    label.setPalette(palette)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


class ElidedLabel(QLabel):
    """One line that never widens what it is in: cut off where there is no room, its tooltip has it whole."""

    def setText(self, text: str) -> None:  # noqa: N802 - Qt's name
        super().setText(text)
        self.setToolTip(text)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        side = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        QPainter(self).drawText(self.rect(), side, text)


class Scroll(QScrollArea):
    """Scrolls up and down only: it is never narrower than what it holds."""

    def __init__(self, held: QWidget) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(held)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        held = self.widget().minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(held, super().minimumSizeHint().height())


def line() -> QWidget:
    """A hairline between panels."""
    rule = QWidget()
    rule.setFixedHeight(1)
    rule.setAutoFillBackground(True)
    rule.setStyleSheet("background: palette(mid);")
    return rule


def light(color: str) -> QPixmap:
    """A round lamp of that colour."""
    scale = 2  # sharp on screens of high density
    image = QPixmap(LIGHT_PX * scale, LIGHT_PX * scale)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(color))
    painter.drawEllipse(image.rect().adjusted(1, 1, -1, -1))
    painter.end()
    image.setDevicePixelRatio(scale)
    return image


def row(*parts: QWidget) -> QHBoxLayout:
    """Widgets side by side: labels and tool buttons keep their size, the others share the room."""
    layout = QHBoxLayout()
    for part in parts:
        layout.addWidget(part, 0 if isinstance(part, (QLabel, QToolButton)) else 1)
    return layout
