"""What all tests share: how examples are drawn; in QGIS's Python also a server in a Python of its own, and models."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Iterator

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
QUIET = {"OMP_NUM_THREADS": "1"}

# The same examples in each run, on a loaded machine too; others with `pytest --hypothesis-profile default`.
settings.register_profile(
    "same", derandomize=True, deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same")


@pytest.fixture(scope="session")
def server_python() -> str:
    """The Python that has the server."""
    python = os.environ.get("TERRAFINE_SERVER_PYTHON", str(ROOT / ".venv/bin/python"))
    if not Path(python).is_file():
        pytest.fail(f"there is no server to test with: {python} (set TERRAFINE_SERVER_PYTHON)")
    return python


@pytest.fixture(scope="session")
def models_folder(server_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    script = Path(__file__).with_name("qgis") / "make_models.py"
    subprocess.run([server_python, str(script), str(folder)], check=True, env={**os.environ, **QUIET})
    return folder


@pytest.fixture(scope="session")
def address(server_python: str, models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that somebody else has started; what it saves does not last."""
    command = [server_python, "-m", "terrafine.server.cli", "serve", "--port", "0", "--announce", "-"]
    command += ["--exit-with-stdin", "--models", str(models_folder)]
    command += ["--save-models", str(tmp_path_factory.mktemp("saved"))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={**os.environ, **QUIET}) as process:
        yield json.loads(process.stdout.readline())["address"]
        process.stdin.close()
        process.wait(30)
