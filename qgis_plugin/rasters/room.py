"""Is there room on the disk for a map? Asked before hours of work, not found out after them."""

from __future__ import annotations

import shutil
from pathlib import Path

from terrafine.qgis_plugin.language import Number, grouped, tr
from terrafine.shared.errors import TerrafineError
from terrafine.shared.geo import Window

SPARE_BYTES = 50_000_000  # for marks, the project, and everybody else


def check_room(folder: Path, window: Window) -> None:
    """Raises TerrafineError where a map of the window, one byte a pixel, does not fit on the folder's disk."""
    free = shutil.disk_usage(folder).free
    if window.pixels + SPARE_BYTES > free:
        why = tr("The map of {width} × {height} pixels takes {needed:.1f} GB; {free:.1f} GB are free in {folder}.")
        sizes = {"needed": Number(window.pixels / 1e9), "free": Number(free / 1e9), "folder": folder}
        raise TerrafineError(
            why.format(width=grouped(window.width), height=grouped(window.height), **sizes),
            tr("Make room, save the project on another disk, or classify a smaller area."),
        )
