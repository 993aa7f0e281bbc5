"""Where the benchmarks of the plugin run: a window with the plugin in it, a server in a process of its own, a scene."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Iterator

import numpy as np
from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QCoreApplication, QSettings

from terrafine.qgis_plugin.link.process import give_way
from terrafine.qgis_plugin.settings import Settings
from terrafine.tests.qgis import scenes
from terrafine.tests.qgis.analyst import Analyst, until
from terrafine.tests.qgis.window import Window

ROOT = Path(__file__).resolve().parents[3]
MODEL = "landcover-rgb"
GSD_M = 0.5  # of that model
CHUNK = 64  # pixels of one colour
PATIENCE_S = 1800.0  # for what other programs may hold up


@contextlib.contextmanager
def analyst_at_work(size: int) -> Iterator[Analyst]:
    """Somebody connected to a server, with a drawn raster of `size` pixels a side open, not yet classified."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["QGIS_AUTH_DB_DIR_PATH"] = scratch
        for form in (QSettings.Format.NativeFormat, QSettings.Format.IniFormat):
            QSettings.setPath(form, QSettings.Scope.UserScope, scratch)
        QCoreApplication.setOrganizationName("terrafine-benchmarks")
        app = QgsApplication([], True)
        app.initQgis()
        with _server() as address:
            Settings(folder=str(folder / "work")).save()
            analyst = Analyst(_window())
            analyst.connect(address)
            analyst.open(_scene(folder / "scene.tif", size))
            analyst.choose_model(MODEL)
            yield analyst
            analyst.leave()


def classify_all(analyst: Analyst) -> None:
    """The whole raster, however long it takes."""
    analyst.dock.map.area_chosen.emit("layer")
    analyst.press(analyst.dock.map.classify)
    until(lambda: analyst.controller.work is None, "all is classified", PATIENCE_S)


def _window() -> Window:
    window = Window()
    window.resize(1400, 950)
    for switch in ("setCachingEnabled", "setParallelRenderingEnabled", "setPreviewJobsEnabled"):
        getattr(window.canvas, switch)(True)  # as in QGIS
    return window


@contextlib.contextmanager
def _server() -> Iterator[str]:
    python = os.environ.get("TERRAFINE_SERVER_PYTHON", str(ROOT / ".venv/bin/python"))
    command = [python, "-m", "terrafine.server.cli", "serve", "--port", "0", "--announce", "-", "--exit-with-stdin"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        give_way(process.pid)
        yield json.loads(process.stdout.readline())["address"]
        process.stdin.close()
        process.wait(30)


def _scene(path: Path, size: int) -> Path:
    """Fields of many colours, a little noisy, with pixels of the model's size."""
    rng = np.random.default_rng(1)
    colors = rng.integers(40, 200, (3, size // CHUNK + 1, size // CHUNK + 1), dtype=np.uint8)
    values = colors.repeat(CHUNK, 1).repeat(CHUNK, 2)[:, :size, :size]
    values = values + rng.integers(0, 30, values.shape, dtype=np.uint8)
    west, _, _, north, _, _ = scenes.NORTH_UP
    scenes.write(path, values, (west, GSD_M, 0.0, north, 0.0, -GSD_M))
    return path
