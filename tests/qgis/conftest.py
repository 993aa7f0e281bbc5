"""QGIS tests: the real plugin in a real canvas, the real server in its own process and Python."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator

import pytest

os.environ["QGIS_AUTH_DB_DIR_PATH"] = tempfile.mkdtemp()  # before QGIS is there: not the user's own keys
if importlib.util.find_spec("qgis") is None:  # the server's environment: these tests are for QGIS's Python
    collect_ignore_glob = ["*.py"]


@pytest.fixture(scope="session", autouse=True)
def _private_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep out of the user's QGIS profile, and of what local servers keep."""
    from qgis.PyQt.QtCore import QCoreApplication, QSettings

    for form in (QSettings.Format.NativeFormat, QSettings.Format.IniFormat):
        QSettings.setPath(form, QSettings.Scope.UserScope, str(tmp_path_factory.mktemp("settings")))
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))
    QCoreApplication.setOrganizationName("terrafine-tests")
    QCoreApplication.setApplicationName("terrafine-tests")


@pytest.fixture
def provider(qgis_app):
    """Terrafine's algorithms, without the rest of the plugin."""
    from qgis.core import QgsApplication

    from terrafine.qgis_plugin.processing.provider import Provider

    provider = Provider()
    QgsApplication.processingRegistry().addProvider(provider)
    yield provider
    QgsApplication.processingRegistry().removeProvider(provider)


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

    folder = tmp_path / "work"
    Settings(server_python=server_python, models_folder=str(models_folder), folder=str(folder)).save()
    analyst = Analyst(window)
    yield analyst
    analyst.leave()


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A projected RGB raster of 1 m pixels, with a name that is not plain."""
    from terrafine.tests.qgis import scenes

    return scenes.projected(tmp_path / "scène à essayer.v1.tif")


@pytest.fixture
def mapped(analyst, address: str, scene: Path):
    """The analyst, connected, with a classified raster."""
    analyst.connect(address)
    analyst.open(scene)
    analyst.choose_model()
    analyst.classify()
    return analyst


@pytest.fixture
def striped(analyst, address: str, tmp_path: Path):
    """The analyst before a scene of three stripes, with a model that knows nothing and a legend of their own."""
    from terrafine.tests.qgis import scenes
    from terrafine.tests.qgis.teaching import NAMES, start_with

    analyst.connect(address)
    analyst.open(scenes.stripes(tmp_path / "stripes.tif"))
    analyst.choose_model("pixels")
    start_with(analyst, NAMES)
    analyst.classify()
    return analyst


@pytest.fixture
def taught(striped):
    """Two classes marked, and learnt."""
    from terrafine.tests.qgis.teaching import STRIPES, learn

    for class_id, x in enumerate(STRIPES[:2]):
        striped.stroke(class_id, (x, 20.5), (x, 140.5))
    learn(striped)
    return striped


@pytest.fixture
def french(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Terrafine's French, compiled from what is in the checkout."""
    from terrafine.qgis_plugin import language

    if shutil.which("lrelease") is None:
        pytest.skip("there is no lrelease")
    words = language.FOLDER / "terrafine_fr.ts"
    subprocess.run(["lrelease", "-silent", str(words), "-qm", str(tmp_path / "terrafine_fr.qm")], check=True)
    monkeypatch.setattr(language, "FOLDER", tmp_path)


@pytest.fixture
def no_saved_servers() -> Iterator[None]:
    from qgis.core import QgsSettings

    from terrafine.qgis_plugin.link.servers import SETTING

    QgsSettings().remove(SETTING)
    yield
    QgsSettings().remove(SETTING)


@pytest.fixture(scope="module")
def remote(server_python: str, models_folder: Path, tmp_path_factory: pytest.TempPathFactory):
    """A server as an administrator runs it, with keys; QGIS's master password has been entered."""
    from qgis.core import QgsApplication

    from terrafine.tests.qgis.servers import Remote

    assert QgsApplication.authManager().setMasterPassword("correct horse", True)
    remote = Remote(server_python, models_folder, tmp_path_factory.mktemp("remote"))
    remote.start()
    yield remote
    remote.kill()


@pytest.fixture(scope="module")
def box(remote):
    """The remote server as an analyst has saved it, with keys that are let in."""
    from terrafine.qgis_plugin.link.servers import Server, with_new_key

    server = with_new_key(Server(remote.address, "GPU box", remote.key))
    remote.allow("analyst", server.client_key)
    return server


# QGIS's libraries are prone to crash while the interpreter takes them down, with objects of failed tests still held:
# leave QGIS running, and end the process at once when the report is out.


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    settings = getattr(config, "_plugin_settings", None)  # of pytest-qgis
    if settings is not None:
        config._plugin_settings = settings._replace(qgis_exit_disabled=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if importlib.util.find_spec("qgis") is not None:
        session.config.terrafine_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    status = getattr(config, "terrafine_status", None)
    if status is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
