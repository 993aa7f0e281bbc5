"""QGIS tests: the real plugin in a real canvas, the real server in its own process and Python."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
if importlib.util.find_spec("qgis") is None:  # the server's environment: these tests are for QGIS's Python
    collect_ignore_glob = ["*.py"]


@pytest.fixture(scope="session")
def server_python() -> str:
    """The Python that has the server."""
    beside = ROOT / ".venv/bin/python"
    python = os.environ.get("TERRAFINE_SERVER_PYTHON", str(beside))
    if not Path(python).is_file():
        pytest.fail(f"there is no server to test with: {python} (set TERRAFINE_SERVER_PYTHON)")
    return python


@pytest.fixture(scope="session")
def models_folder(server_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    script = Path(__file__).with_name("make_models.py")
    subprocess.run([server_python, str(script), str(folder)], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return folder


@pytest.fixture(scope="session", autouse=True)
def _private_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep out of the user's QGIS profile."""
    from qgis.PyQt.QtCore import QCoreApplication, QSettings

    for form in (QSettings.Format.NativeFormat, QSettings.Format.IniFormat):
        QSettings.setPath(form, QSettings.Scope.UserScope, str(tmp_path_factory.mktemp("settings")))
    QCoreApplication.setOrganizationName("terrafine-tests")
    QCoreApplication.setApplicationName("terrafine-tests")


@pytest.fixture
def window():
    """An empty project in a main window."""
    from qgis.core import QgsProject

    from terrafine.tests.qgis.window import Window

    QgsProject.instance().clear()
    window = Window()
    yield window
    QgsProject.instance().clear()
    window.close()
    window.deleteLater()


@pytest.fixture
def analyst(window, server_python: str, models_folder: Path, tmp_path: Path):
    """Somebody at the window with the plugin loaded; the plugin is unloaded afterwards."""
    from terrafine.qgis_plugin.settings import Settings
    from terrafine.tests.qgis.analyst import Analyst

    Settings(server_python=server_python, models_folder=str(models_folder), folder=str(tmp_path / "work")).save()
    analyst = Analyst(window)
    yield analyst
    analyst.leave()
