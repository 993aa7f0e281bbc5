"""QGIS's start-up script in a run of `qgis_program`: do what TERRAFINE_RUN says, and write down how it went."""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import traceback
from pathlib import Path

from qgis.core import Qgis
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtWidgets import QDockWidget
from qgis.utils import iface

sys.path[:0] = os.environ["TERRAFINE_DRIVER"].split(os.pathsep)

import jobs  # noqa: E402
import reload  # noqa: E402
from places import from_plain  # noqa: E402
from user import User  # noqa: E402

SIZE, LAYERS_PX = (1200, 1000), 220
PANELS = ("Layers", "TerrafineDock")


def run(order: dict) -> dict:
    """`order`: what qgis_program.Order says."""
    arrange()
    used, result = {}, {"qgis": Qgis.QGIS_VERSION, "used": None, "error": "", "left": None}
    try:
        for name, place in order["jobs"]:
            user = User(iface, Path(order["pictures"]))
            used[name] = user.used
            getattr(jobs, name)(user, from_plain(place))
        if order["reloads"]:
            user, what = User(iface, Path(order["pictures"])), order["reloads"]
            result["left"] = reload.left_behind(user, from_plain(what["place"]), what["address"], what["times"])
    except BaseException:  # noqa: BLE001 - whatever it is, the outside has to know
        result["error"] = traceback.format_exc()
        iface.mainWindow().grab().save(str(Path(order["pictures"]) / "where-it-went-wrong.png"))
    return {**result, "used": used}


def arrange() -> None:
    window = iface.mainWindow()
    window.resize(*SIZE)
    window.move(0, 0)
    for dock in window.findChildren(QDockWidget):
        dock.setVisible(dock.objectName() in PANELS)
    window.resizeDocks([window.findChild(QDockWidget, "Layers")], [LAYERS_PX], Qt.Orientation.Horizontal)


def main() -> None:
    order = json.loads(os.environ["TERRAFINE_RUN"])
    trace = open(order["trace"], "w")  # noqa: SIM115 - open as long as QGIS runs
    faulthandler.dump_traceback_later(order["limit_s"], file=trace)
    try:
        Path(order["result"]).write_text(json.dumps(run(order)), "utf-8")
    finally:
        from qgis.utils import unloadPlugin

        unloadPlugin("terrafine")
        os._exit(0)  # QGIS would ask whether to save the project


QTimer.singleShot(1500, main)
