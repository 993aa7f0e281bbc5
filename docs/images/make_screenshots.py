"""Draw the picture of the plugin at work in QGIS: a real window, the real server, a raster classified and corrected.

    xvfb-run -s "-screen 0 1600x1300x24" python docs/images/make_screenshots.py [RASTER [MODEL [PNG [MODELS]]]]

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
SIZE = (1600, 1240)
EXAMPLE = "tile3.tif"
LAND = 1
EXAMPLE_MARKS = [  # bare ground that the model takes for vegetation, objects, buildings and roads
    (LAND, [(1265.0, 546.0)]),
    (LAND, [(1544.0, 766.0)]),
    (LAND, [(1237.0, 666.0)]),
    (LAND, [(507.0, 1544.0)]),
    (LAND, [(410.0, 1400.0), (400.0, 1480.0)]),
]


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
    from qgis.PyQt.QtCore import Qt
    from qgis.PyQt.QtTest import QTest
    from qgis.PyQt.QtWidgets import QDockWidget
    from qgis.utils import iface, loadPlugin, plugins, startPlugin

    from terrafine.qgis_plugin.settings import Settings

    window = iface.mainWindow()
    window.resize(*SIZE)
    window.move(0, 0)
    for dock in window.findChildren(QDockWidget):
        dock.setVisible(dock.objectName() == "Layers")
    Settings(folder=scenario["folder"], models_folder=scenario["models"], stroke_width_px=9.0, welcomed=True).save()
    loadPlugin("terrafine")
    startPlugin("terrafine")
    plugin = plugins["terrafine"]
    dock, bench, canvas = plugin.dock, plugin.bench, iface.mapCanvas()
    layer = iface.addRasterLayer(scenario["raster"], Path(scenario["raster"]).stem)
    _pause(1.0)  # QGIS zooms to a new layer when it gets round to it
    extent = QgsRectangle(layer.extent())
    extent.scale(0.62)
    canvas.setExtent(extent)
    dock.server.start.click()
    _until(lambda: bench.controller.view().models, "the server is there")
    if scenario["model"]:
        dock.map.model_chosen.emit(scenario["model"])
    dock.map.classify.click()
    _until(lambda: bench.controller.work is None and bench.controller.session, "the map is there")

    for class_id, pixels in _marks(Path(scenario["raster"]), bench.controller.session.mapped):
        tool = dock.marks.tools.buttons["point" if len(pixels) == 1 else "stroke"]
        if not tool.isChecked():
            tool.click()
        QTest.keyClick(canvas, Qt.Key.Key_1 + class_id)
        _draw(canvas, [bench.locator().point(x, y) for x, y in pixels])
        _until(lambda: bench.controller.work is None, "the map has followed")
    canvas.waitWhileRendering()
    iface.messageBar().clearWidgets()
    _pause(1.0)
    window.grab().save(scenario["target"])


def _marks(raster: Path, area) -> list[tuple[int, list[tuple[float, float]]]]:
    """(class, pixels) of each mark: of the example, what an analyst would see is wrong; elsewhere a few in a row."""
    if raster.name == EXAMPLE:
        return EXAMPLE_MARKS
    middle = area.row + area.height / 2
    return [(0, [(area.col + area.width * place, middle)]) for place in (0.2, 0.5, 0.8)]


def _draw(canvas, places) -> None:
    """Click on one place, or draw a stroke along several."""
    from qgis.PyQt.QtCore import QPoint, Qt
    from qgis.PyQt.QtTest import QTest

    shown = [canvas.getCoordinateTransform().transform(place) for place in places]
    at = [QPoint(round(point.x()), round(point.y())) for point in shown]
    left, nothing = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mousePress(canvas.viewport(), left, nothing, at[0])
    for point in at[1:]:
        QTest.mouseMove(canvas.viewport(), point)
    QTest.mouseRelease(canvas.viewport(), left, nothing, at[-1])


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
