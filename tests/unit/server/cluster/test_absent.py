"""Ray is neither imported nor needed where nobody asks for a cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from terrafine.server.cli import COMMANDS, main

EVERYTHING = f"""
import importlib, sys
sys.modules["ray"] = None  # as if it were not installed
for name in {list(COMMANDS)}:
    importlib.import_module("terrafine.server.cli." + name)
import terrafine.server.gateway.serve, terrafine.server.process.child, terrafine.server.dispatch
assert not [name for name in sys.modules if name.startswith(("ray.", "terrafine.server.cluster"))]
"""


def test_no_command_imports_ray_or_what_uses_it() -> None:
    subprocess.run([sys.executable, "-c", EVERYTHING], check=True, timeout=280)


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in [name for name in sys.modules if name.startswith("terrafine.server.cluster.")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize("command", ["predict", "serve"])
def test_whoever_asks_for_a_cluster_is_told_what_to_install(command: str, tmp_path: Path, capsys) -> None:
    words = {
        "predict": [str(tmp_path / "a.tif"), str(tmp_path / "b.tif"), "--model", "landcover-rgb"],
        "serve": ["--port", "0", "--state-dir", str(tmp_path / "state")],
    }
    assert main([command, *words[command], "--ray", "auto"]) == 2
    assert "pip install 'terrafine[cluster]'" in capsys.readouterr().err


def test_a_server_on_a_cluster_needs_a_folder_that_all_nodes_share(capsys) -> None:
    assert main(["serve", "--port", "0", "--ray", "auto"]) == 2
    assert "--state-dir" in capsys.readouterr().err


@pytest.mark.parametrize("share", ["0", "1.5", "-1", "much"])
def test_a_share_of_a_gpu_is_more_than_none_and_at_most_all(share: str, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--ray", "auto", "--ray-share", share])
    assert "--ray-share" in capsys.readouterr().err


def test_two_rasters_of_one_name_in_a_folder_are_refused(tmp_path: Path, capsys) -> None:
    for suffix in (".tif", ".png"):
        (tmp_path / f"same{suffix}").touch()
    assert main(["predict", str(tmp_path), str(tmp_path / "maps"), "--model", "landcover-rgb"]) == 2
    assert "same name" in capsys.readouterr().err
