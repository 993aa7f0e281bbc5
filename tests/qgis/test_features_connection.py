"""The feature table (docs/features.md), row by row: the server, the connection, and what is installed where."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsApplication, QgsProject

from terrafine.qgis_plugin.state import Link
from terrafine.shared.client import Client
from terrafine.shared.transport import ClientKeys, ZmqTransport, new_secret_key, public_key
from terrafine.tests.qgis import scenes
from terrafine.tests.qgis.analyst import until
from terrafine.tests.qgis.benchmarks.stall_watch import StallWatch
from terrafine.tests.qgis.tunnel import tunnel

pytestmark = pytest.mark.qgis
ROOT = Path(__file__).resolve().parents[2]
METADATA = (ROOT / "metadata.txt").read_text("utf-8")
MOST_BUSY_S = 0.5
OTHERS = ("torch", "torchvision", "rasterio", "scipy", "shapely", "terrafine.server", "terrafine.models")
LOAD_EVERYTHING = """
import importlib, pkgutil, sys
from qgis.core import QgsApplication
before = sys.path[:]
import numpy
import terrafine.qgis_plugin
for module in pkgutil.walk_packages(terrafine.qgis_plugin.__path__, "terrafine.qgis_plugin."):
    importlib.import_module(module.name)
assert sys.path == before, "the plugin has changed where QGIS's Python looks for packages"
print(*sorted(name for name in sys.modules if name.startswith({others})))
"""


def test_inference_server_apart_from_qgis_own_or_shared_gpu(analyst, remote, box, scene):
    """Elsewhere, encrypted, with several users at a time who know nothing of each other."""
    colleague = new_secret_key()
    remote.allow("colleague", public_key(colleague))
    analyst.dock.server.connect_asked.emit(box)
    until(lambda: analyst.controller.link is Link.ONLINE, "the server lets me in")
    client = Client(ZmqTransport(remote.address, ClientKeys(remote.key, colleague)), "a colleague")
    analyst.open(scene)
    analyst.choose_model()
    analyst.classify()
    assert {model.name for model in analyst.controller.models} <= {model.name for model in client.models()}
    assert set(np.unique(analyst.map())) <= {0, 1, 2}
    client.close()


def test_plugin_never_breaks_qgis_s_python():
    """All of it loads with what QGIS ships, and pyzmq."""
    code = LOAD_EVERYTHING.format(others=OTHERS)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
    needed = [line for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines() if line[:1] != "#"]
    assert [re.split(r"\W", line)[0] for line in needed] == ["pyzmq"]


def test_answer_in_milliseconds(analyst, address, tmp_path):
    """A click sends a mark and gets a patch of class ids: features and pixels stay where they are."""
    with tunnel(address) as counting:
        analyst.connect(counting.address)
        analyst.open(scenes.projected(tmp_path / "unseen.tif", 170))  # pixels that the server has not met yet
        analyst.choose_model()
        analyst.classify()
        assert counting.sent > 3 * 170 * 170  # the pixels, once
        counting.forget()
        analyst.mark(50.5, 40.5, (int(analyst.map()[40, 50]) + 1) % 3)
        assert 0 < counting.sent < 10_000
        assert 0 < counting.received < 170 * 170 + 10_000
        assert analyst.controller.seconds is not None


def test_does_not_freeze_qgis(analyst, address, tmp_path):
    """QGIS goes on turning while pixels are sent and classified; it can be stopped, and says how far it is."""
    analyst.connect(address)
    analyst.open(scenes.projected(tmp_path / "large.tif", 600))
    analyst.choose_model()
    watch = StallWatch()
    watch.start()
    analyst.press(analyst.dock.map.classify)
    until(lambda: analyst.controller.work.progress is not None, "progress is shown")
    assert analyst.dock.map.progress.isVisible()
    task = next(task for task in QgsApplication.taskManager().tasks() if task.canCancel())
    until(lambda: not analyst.controller.session.mapped.is_empty, "a part of the map is there")
    task.cancel()
    analyst.settle()
    watch.stop()
    assert (analyst.map() == 255).any()
    # of the main thread's own time, which other programs hardly change; docs/benchmarks.md has the measurement
    assert max((stall.busy_s for stall in watch.stalls), default=0.0) < MOST_BUSY_S, watch.stalls


def test_clear_errors(analyst, address, tmp_path):
    """What happened, and what to do."""
    analyst.connect("tcp://127.0.0.1:9")
    assert any("does not answer" in m and "Check" in m for m in analyst.window.messages())
    analyst.connect(address)
    analyst.open(two_bands(tmp_path / "two bands.tif"))
    analyst.choose_model()
    analyst.classify()
    assert any("needs 3 bands" in m and "or another model" in m for m in analyst.window.messages())
    assert analyst.controller.session is None
    assert analyst.dock.map.classify.isEnabled()


def two_bands(path: Path) -> Path:
    scenes.write(path, scenes.noise(2))
    return path


def test_spaces_and_accents_in_paths(analyst, address, tmp_path):
    home = tmp_path / "Données d'été (1) 地図"
    home.mkdir()
    analyst.connect(address)
    analyst.open(scenes.projected(home / "scène & co. 100 %.tif"), "scène «à» l'essai/1")
    analyst.choose_model()
    analyst.classify()
    analyst.mark(50.5, 40.5, 1)
    assert QgsProject.instance().write(str(home / "projet déjà vu.qgz"))
    until(lambda: Path(analyst.map_layer.source()).is_relative_to(home), "the files move in")
    assert len(analyst.stored()) == 1
    target = home / "für andere.tif"
    analyst.plugin.desk.export(str(target))
    until(lambda: any("was saved" in message for message in analyst.window.messages()), "the export is there")
    assert target.is_file()


def test_proxies_and_firewalls(analyst, address, scene):
    """One TCP port is enough: a tunnel through it will do, and the documentation says how to make one."""
    with tunnel(address) as one_port:
        analyst.connect(one_port.address)
        analyst.open(scene)
        analyst.choose_model()
        analyst.classify()
        assert (analyst.map() != 255).all()
        assert one_port.received > 0
    assert "ssh -N -L" in (ROOT / "docs" / "security.md").read_text("utf-8")


def test_qgis_3_22_to_4_x_qt_5_and_qt_6():
    """Loads in the QGIS that runs this; what other versions lack is not used (read in the code)."""
    assert "qgisMinimumVersion=3.22" in METADATA
    assert "qgisMaximumVersion=4.99" in METADATA
    code = {path: path.read_text("utf-8") for path in (ROOT / "qgis_plugin").rglob("*.py")}
    forbidden = {
        "PyQt5 or PyQt6 by name": r"^\s*(?:from|import) PyQt[56]",
        "enums without their scope": r"\bQt\.(?:LeftButton|RightButton|Key_\w+|Horizontal|UserRole)\b",
        "QAction from QtGui": r"from qgis\.PyQt\.QtGui import [^\n]*\bQAction\b",
        "exec_": r"\.exec_\(",
        "what QGIS 3.22 lacks": r"Qgis\.(?:GeometryType|WkbType|LayerType)\b",
    }
    for what, pattern in forbidden.items():
        found = [path.name for path, text in code.items() if re.search(pattern, text, re.MULTILINE)]
        assert not found, f"{what}: {found}"
