"""Draw the picture of the plugin at work in QGIS: a real window, the real server, a raster classified and corrected.

    xvfb-run -s "-screen 0 1600x1000x24" python docs/images/make_screenshots.py [RASTER [MODEL [PNG [MODELS]]]]

Needs QGIS (`qgis` on the PATH) and a display. RASTER is by default dubai/tile3.tif under $TERRAFINE_DATA or
../shared/data, MODEL the first that the server offers, PNG qgis.png beside this script, MODELS a folder of further
models. The same file is QGIS's start-up script: it then finds what to do in the variable TERRAFINE_SCREENSHOT.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SCENARIO = "TERRAFINE_SCREENSHOT"
LIMIT_S = 240
SIZE = (1600, 1000)


def main() -> int:
    """Start QGIS with a profile of its own and this file as its start-up script."""
    root, here = Path(__file__).resolve().parents[2], Path(__file__).resolve()
    raster, model, target, models = _arguments(root, here)
    if not raster.is_file():
        sys.stderr.write(f"There is no raster '{raster}'; name one, or set TERRAFINE_DATA.\n")
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        plugins = Path(scratch) / "profiles/default/python/plugins"
        plugins.mkdir(parents=True)
        (plugins / "terrafine").symlink_to(root, target_is_directory=True)
        scenario = {"raster": str(raster), "model": model, "target": str(target), "folder": scratch, "models": models}
        command = ["qgis", "--nologo", "--noversioncheck", "--profiles-path", scratch, "--code", str(here)]
        environment = {**os.environ, SCENARIO: json.dumps(scenario)}
        target.unlink(missing_ok=True)
        subprocess.run(command, env=environment, timeout=LIMIT_S, check=False)
    return 0 if target.is_file() else 1


def _arguments(root: Path, here: Path) -> tuple[Path, str, Path, str]:
    data = Path(os.environ.get("TERRAFINE_DATA", root.parent / "shared/data"))
    given = sys.argv[1:5] + [""] * 4
    raster = Path(given[0]) if given[0] else data / "dubai/tile3.tif"
    return raster.resolve(), given[1], Path(given[2] or here.with_name("qgis.png")).resolve(), given[3]


def photograph(scenario: dict[str, str]) -> None:
    """Inside QGIS: do an analyst's work with the plugin's own widgets, then save the window's picture."""
    from qgis.core import QgsRectangle
    from qgis.PyQt.QtCore import QPoint, Qt
    from qgis.PyQt.QtTest import QTest
    from qgis.PyQt.QtWidgets import QDockWidget
    from qgis.utils import iface, loadPlugin, plugins, startPlugin

    from terrafine.qgis_plugin.settings import Settings

    window = iface.mainWindow()
    window.resize(*SIZE)
    window.move(0, 0)
    for dock in window.findChildren(QDockWidget):
        dock.setVisible(dock.objectName() == "Layers")
    Settings(folder=scenario["folder"], models_folder=scenario["models"], stroke_width_px=9.0).save()
    loadPlugin("terrafine")
    startPlugin("terrafine")
    plugin = plugins["terrafine"]
    dock, bench, canvas = plugin.dock, plugin.bench, iface.mapCanvas()
    layer = iface.addRasterLayer(scenario["raster"], Path(scenario["raster"]).stem)
    extent = QgsRectangle(layer.extent())
    extent.scale(0.42)
    canvas.setExtent(extent)
    dock.server.start.click()
    _until(lambda: bench.controller.view().models, "the server is there")
    if scenario["model"]:
        dock.map.model_chosen.emit(scenario["model"])
    dock.map.classify.click()
    _until(lambda: bench.controller.work is None and bench.controller.session, "the map is there")

    def click(x: float, y: float) -> None:
        at = QPoint(round(canvas.width() * x), round(canvas.height() * y))
        QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
        _until(lambda: bench.controller.work is None, "the map has followed")

    dock.marks.tools["point"].click()
    for class_id, x, y in _clicks(len(bench.controller.legend)):
        QTest.keyClick(canvas, Qt.Key.Key_1 + class_id)
        click(x, y)
    canvas.waitWhileRendering()
    _pause(1.0)
    window.grab().save(scenario["target"])


def _clicks(classes: int) -> list[tuple[int, float, float]]:
    return [(index % classes, 0.2 + 0.15 * index, 0.3 + 0.1 * (index % 3)) for index in range(4)]


def _until(condition, what: str) -> None:
    import time

    deadline = time.monotonic() + LIMIT_S / 2
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited in vain: {what}")
        _pause(0.05)


def _pause(seconds: float) -> None:
    from qgis.PyQt.QtTest import QTest

    QTest.qWait(int(1000 * seconds))


def _run_inside_qgis(scenario: dict[str, str]) -> None:
    try:
        photograph(scenario)
    finally:
        from qgis.utils import unloadPlugin

        unloadPlugin("terrafine")
        os._exit(0)  # QGIS would ask whether to save the project


if SCENARIO in os.environ:
    from qgis.PyQt.QtCore import QTimer

    QTimer.singleShot(1500, lambda: _run_inside_qgis(json.loads(os.environ[SCENARIO])))
elif __name__ == "__main__":
    sys.exit(main())
