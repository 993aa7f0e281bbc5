"""What setting up a local server is made of: Pythons, wheels, indexes, proxies, and what pip says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from qgis.core import QgsNetworkAccessManager
from qgis.PyQt.QtNetwork import QNetworkProxy
from qgis.PyQt.QtWidgets import QApplication

from terrafine.qgis_plugin.setup.pip_output import PipOutput
from terrafine.qgis_plugin.setup.place import Place, version
from terrafine.qgis_plugin.setup.pythons import Python, PythonSearch, candidates, look_at
from terrafine.qgis_plugin.setup.recipe import Build, Recipe, check_wheel, proxy_url, torch_index
from terrafine.shared.errors import ConfigError
from terrafine.tests.qgis import wheels

pytestmark = pytest.mark.qgis
BASE = str(Path(sys.base_prefix) / "bin/python3")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "données utiles" / "0.1.0")


def test_a_python_is_found_without_asking_sys_executable(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/usr/bin/qgis")
    found: list[object] = []
    search = PythonSearch()
    search.ended.connect(found.append)
    search.finished(search.run())
    assert isinstance(found[0], Python)
    assert found[0].version >= (3, 9)
    assert "/usr/bin/qgis" not in candidates()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("[[3, 8], 64, true]", "needs 3.9"),
        ("[[3, 12], 32, true]", "32 bits"),
        ("[[3, 12], 64, false]", "lacks its modules venv"),
        ("Python was not found", "is no Python"),
    ],
)
def test_a_python_that_will_not_do_is_refused_with_the_reason(tmp_path, answer, why):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '{answer}'\n")
    python.chmod(0o755)
    with pytest.raises(ConfigError, match=why):
        look_at(str(python))


def test_a_wheel_of_another_version_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=version()):
        check_wheel(str(wheels.wheel(tmp_path, "terrafine", "99.0", {})))


def test_pytorch_comes_from_the_index_that_has_the_build():
    assert torch_index(Build.CPU, "linux") == "https://download.pytorch.org/whl/cpu"
    assert torch_index(Build.CUDA, "linux") is None
    assert torch_index(Build.CPU, "win32") is None
    assert "cu" in torch_index(Build.CUDA, "win32")


def test_qgiss_proxy_is_pips_proxy(place):
    manager = QgsNetworkAccessManager.instance()
    before = manager.fallbackProxy()
    proxy = QNetworkProxy(QNetworkProxy.ProxyType.HttpProxy, "proxy.example.org", 3128, "me", "secret")
    manager.setFallbackProxyAndExcludes(proxy, [], [])
    try:
        assert proxy_url() == "http://me:secret@proxy.example.org:3128"
        recipe = Recipe(BASE, "", Build.CPU, place)
        assert recipe.environment().value("PIP_PROXY") == proxy_url()
    finally:
        manager.setFallbackProxyAndExcludes(before, [], [])


def read(*lines: str, expected: int = 300_000_000) -> list:
    output = PipOutput(expected)
    return [report for report in map(output.read, lines) if report is not None]


def test_pips_downloads_add_up():
    reports = read(
        "Looking in indexes: https://download.pytorch.org/whl/cpu",
        "Collecting torch",
        "  Downloading https://download.pytorch.org/whl/cpu/torch-2.9.0%2Bcpu-cp311-cp311-linux_x86_64.whl (184.5 MB)",
        "Progress 92250000 of 184500000",
        "  Downloading filelock-3.20.0-py3-none-any.whl.metadata (2.1 kB)",
        "  Downloading numpy-2.3.4-cp311-cp311-manylinux_2_28_x86_64.whl (16.9 MB)",
        "Installing collected packages: mpmath, numpy, torch",
    )
    assert [report.fetched_kb for report in reports] == [0, 0, 92_250, 184_500, 201_400]
    assert reports[2].words == "Fetching torch: 92 of 184 MB"
    assert reports[-1].words.startswith("Unpacking 3 packages")
    assert reports[-1].total_kb == 300_000


def test_more_than_was_expected_is_never_more_than_all():
    (report,) = read("  Downloading torch-2.9.0-cp311-cp311-linux_x86_64.whl (900.0 MB)", "Collecting a", expected=10)[
        1:
    ]
    assert report.fetched_kb <= report.total_kb


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError('", "network"),
        ("ERROR: No matching distribution found for torch", "no build of 'torch'"),
        ("ERROR: Something else", "Something else"),
    ],
)
def test_pips_errors_become_advice(line, message):
    output = PipOutput(0)
    output.read(line)
    error = output.error("last")
    assert message in error.message
    assert error.hint


def test_the_stamp_says_what_was_installed(place):
    place.scratch.mkdir(parents=True)
    place.finish("cuda")
    assert json.loads((place.folder / "installed.json").read_text()) == {"version": version(), "build": "cuda"}
    QApplication.processEvents()
