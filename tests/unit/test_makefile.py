"""The set-up of a checkout's virtual environment, with stand-ins for Python, pip and apt."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"
PYTHON = """#!/bin/sh
[ "$2" = venv ] && mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
exit 0
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose environment is ready."""
    folder = tmp_path / "checkout"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(MAKEFILE, folder)
    (folder / "pyproject.toml").touch()
    for name in ("tools/apt_install.sh", "python"):
        (folder / name).write_text(PYTHON)
        (folder / name).chmod(0o755)
    set_up(folder)
    (folder / ".venv" / "old").touch()
    return folder


def set_up(checkout: Path) -> None:
    subprocess.run(["make", "--silent", "unit", "PYTHON=./python"], cwd=checkout, check=True)


def test_an_environment_that_is_ready_stays(checkout: Path) -> None:
    set_up(checkout)
    assert (checkout / ".venv" / "old").exists()


def test_after_a_change_of_what_is_needed_it_is_brought_up_to_date(checkout: Path) -> None:
    (stamp,) = checkout.glob(".venv/.ready-*")
    os.utime(stamp, (0, 0))
    set_up(checkout)
    assert (checkout / ".venv" / "old").exists()
    assert stamp.stat().st_mtime > 0


def test_in_a_checkout_that_moved_it_is_made_anew(checkout: Path) -> None:
    moved = checkout.rename(checkout.with_name("moved"))
    set_up(moved)
    assert not (moved / ".venv" / "old").exists()
    assert len(list(moved.glob(".venv/.ready-*"))) == 1
