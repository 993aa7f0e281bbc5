"""Light and dark themes, and screens of high density: all that is drawn by the plugin itself can be seen."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor, QImage, QPalette, QPixmap
from qgis.PyQt.QtWidgets import QApplication

from terrafine.qgis_plugin import widgets
from terrafine.qgis_plugin.widgets import ICON_PX, ICONS, icon, light, note

pytestmark = pytest.mark.qgis
THEMES = {"light": ("#efefef", "#000000"), "dark": ("#353535", "#ffffff")}  # window and its text
SEEN, READ = 3.0, 4.5  # contrast that pictures and text need (WCAG 2.1, 1.4.11 and 1.4.3)


def luminance(colors: np.ndarray) -> np.ndarray:
    """Relative luminance of colours (..., 3) in 0 … 255, as WCAG has it."""
    shares = colors / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def contrast(colors: np.ndarray, window: str) -> np.ndarray:
    behind = luminance(np.array(QColor(window).getRgb()[:3]))
    here = luminance(colors)
    return (np.maximum(here, behind) + 0.05) / (np.minimum(here, behind) + 0.05)


def solid(pixmap: QPixmap) -> np.ndarray:
    """The colours (n, 3) of its opaque pixels."""
    image = pixmap.toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    bits = image.constBits()
    bits.setsize(image.height() * image.bytesPerLine())
    rows = np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine())
    pixels = rows[:, : 4 * image.width()].reshape(-1, 4)
    return pixels[pixels[:, 3] > 200][:, :3].astype(float)


@pytest.fixture(params=THEMES.values(), ids=THEMES)
def theme(request: pytest.FixtureRequest, qgis_app):
    """A theme's window and text; the application has it."""
    window, text = request.param
    before, palette = QApplication.palette(), QPalette(QColor(window))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(role, QColor(text))
    QApplication.setPalette(palette)
    yield window
    QApplication.setPalette(before)


def test_each_icon_can_be_seen(theme: str) -> None:
    names = sorted(file.stem for file in ICONS.glob("*.svg"))
    hidden = [name for name in names if np.median(contrast(solid(icon(name).pixmap(24, 24)), theme)) < SEEN]
    assert names
    assert not hidden


def test_quiet_text_can_be_read(theme: str) -> None:
    ink, window = note().palette().color(QPalette.ColorRole.WindowText), QColor(theme)
    blended = [ink.alphaF() * a + (1 - ink.alphaF()) * b for a, b in zip(ink.getRgb()[:3], window.getRgb()[:3])]
    assert contrast(np.array(blended), theme) >= READ


def test_icons_are_drawn_anew_for_screens_of_high_density(qgis_app) -> None:
    size = QSize(ICON_PX, ICON_PX)
    once, twice = icon("lock").pixmap(size), icon("lock").pixmap(2 * size)
    assert (once.width(), twice.width()) == (ICON_PX, 2 * ICON_PX)  # from the SVG, not enlarged


def test_lamps_have_twice_the_pixels_of_their_size() -> None:
    lamp = light("#239178")
    assert lamp.width() / lamp.devicePixelRatio() == widgets.LIGHT_PX
    assert lamp.devicePixelRatio() == 2
