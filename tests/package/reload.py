"""Load and unload the plugin with QGIS's own loader, and look for what that leaves behind. Runs inside QGIS."""

from __future__ import annotations

from pathlib import Path

import inventory
from places import Place
from qgis.core import QgsProject
from qgis.utils import loadPlugin, startPlugin, unloadPlugin
from user import User

NAME = "terrafine"
WARM_UP = 2  # rounds after which QGIS itself has made what it keeps


def left_behind(user: User, place: Place, address: str, times: int) -> dict[str, tuple[int, int]]:
    """What there is more of after `times` rounds: its name, and how many there were before and are now."""
    user.iface.newProject(False)
    unloadPlugin(NAME)
    for _ in range(WARM_UP):
        a_round(user, place, address)
    before = inventory.census(user.window, user.canvas)
    for _ in range(times):
        a_round(user, place, address)
    return inventory.differences(before, inventory.census(user.window, user.canvas))


def a_round(user: User, place: Place, address: str) -> None:
    """Load, connect, classify, begin to mark; unload, and let QGIS forget the layers."""
    loadPlugin(NAME)
    startPlugin(NAME)
    layer = user.iface.addRasterLayer(place.raster, Path(place.raster).stem)
    user.connect_to(address)
    user.look_at(place.view)
    user.press("Classify")
    user.settle()
    user.press("Point")
    unloadPlugin(NAME)
    assert QgsProject.instance().mapLayer(layer.id()) is layer
    user.iface.newProject(False)
    user.canvas.waitWhileRendering()
