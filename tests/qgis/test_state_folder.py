"""Where local servers keep their sessions: a folder for each QGIS, as long as it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from terrafine.qgis_plugin.link.state_folder import MOST, StateFolder

pytestmark = pytest.mark.qgis
DYING = """
import os, sys
from pathlib import Path
from terrafine.qgis_plugin.link.state_folder import StateFolder
folder = StateFolder()
folder.take(Path(sys.argv[1]))
os._exit(0)
"""


@pytest.fixture
def folders():
    """Those of so many QGIS that run at a time."""
    made = [StateFolder() for _ in range(MOST + 1)]
    yield made
    for folder in made:
        folder.release()


def test_a_qgis_has_the_same_folder_for_all_its_servers_and_for_those_of_tomorrow(folders, tmp_path):
    today, tomorrow = folders[:2]
    assert today.take(tmp_path) == today.take(tmp_path) == tmp_path / "1"
    today.release()
    assert tomorrow.take(tmp_path) == tmp_path / "1"


def test_two_qgis_at_a_time_have_folders_of_their_own(folders, tmp_path):
    assert [folder.take(tmp_path) for folder in folders[:2]] == [tmp_path / "1", tmp_path / "2"]


def test_where_all_folders_are_taken_nothing_is_kept(folders, tmp_path):
    assert [folder.take(tmp_path) is None for folder in folders] == [False] * MOST + [True]


def test_the_folder_of_a_qgis_that_died_is_free(folders, tmp_path):
    subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], check=True)
    assert (tmp_path / "1.lock").exists()
    assert folders[0].take(tmp_path) == tmp_path / "1"


def test_a_folder_that_was_removed_is_taken_anew(folders, tmp_path):
    first, second = folders[:2]
    base = tmp_path / "state"
    first.take(base)
    base.rename(tmp_path / "removed")
    assert first.take(base) == base / "1"
    assert second.take(base) == base / "2"


def test_where_nothing_can_be_written_nothing_is_kept(folders, tmp_path: Path):
    (tmp_path / "file").touch()
    assert folders[0].take(tmp_path / "file" / "state") is None
