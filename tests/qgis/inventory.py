"""What a plugin could leave behind in QGIS, counted."""

from __future__ import annotations

import gc
import logging
import os
import re
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Optional

from qgis.core import QgsApplication, QgsProject
from qgis.gui import QgsDockWidget, QgsMapCanvas, QgsMapTool
from qgis.PyQt.QtCore import QCoreApplication, QEvent, QObject
from qgis.PyQt.QtWidgets import QAction, QApplication, QMainWindow, QMenu, QToolBar, QWidget

PLUGIN = "terrafine.qgis_plugin"
OF_A_PROJECT = re.compile(r"[^/]+/\w+(?=_styles\.db$)")  # names by chance, others for every project; since QGIS 3.26
ROUNDS = 3  # of what Qt puts off, and what that puts off


def census(window: QMainWindow, canvas: QgsMapCanvas) -> dict[str, int]:
    """How many there are of each kind, when everything that was put off is done."""
    for _ in range(ROUNDS):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
        gc.collect()
    return {**_widgets(window), **_map(canvas), **_listeners(canvas), **_process(), **_python()}


def _widgets(window: QMainWindow) -> dict[str, int]:
    kinds = {"docks": QgsDockWidget, "actions": QAction, "widgets": QWidget, "objects": QObject}
    found = {name: len(window.findChildren(kind)) for name, kind in kinds.items()}
    found["menu entries"] = sum(len(menu.actions()) for menu in window.findChildren(QMenu))
    found["tool bar entries"] = sum(len(bar.actions()) for bar in window.findChildren(QToolBar))
    found["windows"] = len(QApplication.topLevelWidgets())
    return found


def _map(canvas: QgsMapCanvas) -> dict[str, int]:
    return {
        "map tools": len(canvas.findChildren(QgsMapTool)),
        "canvas items": len(canvas.scene().items()),
        "layers": len(QgsProject.instance().mapLayers()),
        "providers": len(QgsApplication.processingRegistry().providers()),
        "tasks": QgsApplication.taskManager().countActiveTasks(),
    }


def _listeners(canvas: QgsMapCanvas) -> dict[str, int]:
    """Of what outlives the plugin; Qt tells only of objects that were made from Python, as those of the tests."""
    project, tree = QgsProject.instance(), QgsProject.instance().layerTreeRoot()
    signals = {
        canvas: ("extentsChanged", "mapToolSet", "renderComplete", "destinationCrsChanged", "layersChanged"),
        project: ("layersAdded", "layersWillBeRemoved", "readProject", "projectSaved", "cleared", "crsChanged"),
        tree: ("visibilityChanged", "removedChildren", "addedChildren"),
        QgsApplication.taskManager(): ("allTasksFinished", "statusChanged"),
        QApplication.instance(): ("aboutToQuit", "focusChanged"),
    }
    counted = {f"listeners of {name}": _receivers(item, name) for item, names in signals.items() for name in names}
    return {name: count for name, count in counted.items() if count is not None}


def _receivers(item: QObject, signal: str) -> Optional[int]:
    try:
        return item.receivers(getattr(item, signal))
    except RuntimeError:
        return None


def _process() -> dict[str, int]:
    """Of this process: Python threads, child processes, open sockets and files; entries of the temporary folder."""
    found = {"threads": threading.active_count(), "temporary files": len(os.listdir(tempfile.gettempdir()))}
    if Path("/proc/self").is_dir():
        found["child processes"] = len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
        kinds = Counter(_kind(link) for link in Path("/proc/self/fd").iterdir())
        found.update({f"open: {kind}": count for kind, count in kinds.items()})
    return found


def _kind(link: Path) -> str:
    try:
        return OF_A_PROJECT.sub("…", os.readlink(link).split(":")[0])
    except OSError:  # the one that lists this folder
        return "gone"


def _python() -> dict[str, int]:
    """Objects of the plugin's own classes, and what it could have hooked into Python's logging."""
    alive = Counter(type(item).__name__ for item in gc.get_objects() if _is_the_plugins(type(item)))
    handlers = len(logging.getLogger().handlers) + len(logging.getLogger("terrafine").handlers)
    return {"log handlers": handlers, **{f"alive: {name}": count for name, count in alive.items()}}


def _is_the_plugins(kind: type) -> bool:
    """Not a frozen value: those are constants of classes, which Python's own caches keep."""
    parameters = getattr(kind, "__dataclass_params__", None)
    return kind.__module__.startswith(PLUGIN) and not (parameters is not None and parameters.frozen)


def differences(before: dict[str, int], after: dict[str, int]) -> dict[str, tuple[int, int]]:
    """What there is more of than before: both counts by name."""
    names = sorted({*before, *after})
    return {n: (before.get(n, 0), after.get(n, 0)) for n in names if after.get(n, 0) > before.get(n, 0)}
