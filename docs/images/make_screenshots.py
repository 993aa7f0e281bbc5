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
MARKS = 10
MARKED = (2, 3)  # classes that get marks: roads and buildings, whose labels the eye agrees with
BLOCK_PX = 96


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

    dock.marks.tools["point"].click()
    for class_id, x, y in _mistakes(Path(scenario["raster"]), bench):
        QTest.keyClick(canvas, Qt.Key.Key_1 + class_id)
        place = canvas.getCoordinateTransform().transform(bench.locator().point(x, y))
        at = QPoint(round(place.x()), round(place.y()))
        QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
        _until(lambda: bench.controller.work is None, "the map has followed")
    canvas.waitWhileRendering()
    iface.messageBar().clearWidgets()
    _pause(1.0)
    window.grab().save(scenario["target"])


def _mistakes(raster: Path, bench) -> list[tuple[int, float, float]]:
    """(right class, x, y) of the worst mistakes in view by NAME_labels.tif beside the raster, else of a lattice."""
    import numpy as np
    from osgeo import gdal

    area = bench.controller.session.mapped
    box = (area.col, area.row, area.width, area.height)
    labels = raster.with_name(f"{raster.stem}_labels.tif")
    if not labels.is_file():
        steps = [((i % 4 + 0.5) / 4, (i // 4 + 0.5) / 2) for i in range(MARKS)]
        return [(0, area.col + area.width * x, area.row + area.height * y) for x, y in steps]
    sources = [str(labels), bench.sessions.kept(bench.controller.session).map.layer.source()]
    truth, result = (gdal.Open(source).ReadAsArray(*box) for source in sources)
    wrong = (truth != result) & np.isin(truth, MARKED)
    rows, cols = (side // BLOCK_PX * BLOCK_PX for side in wrong.shape)
    blocks = wrong[:rows, :cols].reshape(rows // BLOCK_PX, BLOCK_PX, cols // BLOCK_PX, BLOCK_PX).mean(axis=(1, 3))
    found = []
    for index in np.argsort(blocks, axis=None)[::-1][:MARKS]:
        row, col = ((i + 0.5) * BLOCK_PX for i in np.unravel_index(index, blocks.shape))
        row, col = (int(value) for value in _nearest(wrong, row, col))
        found.append((int(truth[row, col]), area.col + col + 0.5, area.row + row + 0.5))
    return found


def _nearest(wrong, row: float, col: float):
    """The wrong pixel nearest to a place."""
    import numpy as np

    places = np.argwhere(wrong)
    return places[((places - (row, col)) ** 2).sum(axis=1).argmin()]


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
