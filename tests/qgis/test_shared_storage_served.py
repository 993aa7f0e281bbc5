"""QGIS, and a real server that sees the same storage under another path: from the first map to one after a restart."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest
from qgis.core import QgsApplication

from terrafine.qgis_plugin.link.servers import Server, with_new_key
from terrafine.qgis_plugin.state import Link
from terrafine.tests.qgis import scenes
from terrafine.tests.qgis.analyst import until
from terrafine.tests.qgis.servers import Remote

pytestmark = pytest.mark.qgis


class Storage:
    """A server with `--data-root`; the same raster as the server sees it, and as the analyst's computer mounts it."""

    def __init__(self, python: str, models: Path, folder: Path) -> None:
        there, here = folder / "srv" / "imagery", folder / "mnt" / "imagery"
        self._state = folder / "state"
        there.mkdir(parents=True)
        self.scene = scenes.projected(there / "scene.tif")
        shutil.copytree(there, here)
        self.mounted = here / "scene.tif"
        self.remote = Remote(python, models, folder, "--data-root", str(there), "--state-dir", str(self._state))
        self.box = with_new_key(Server(self.remote.address, "GPU box", self.remote.key))
        self.remote.allow("analyst", self.box.client_key)
        self.remote.start()

    @property
    def blocks(self) -> list[Path]:
        """The pixels that clients have sent."""
        return list((self._state / "pixels").glob("*/*"))


@pytest.fixture
def storage(server_python: str, models_folder: Path, tmp_path: Path) -> Iterator[Storage]:
    assert QgsApplication.authManager().setMasterPassword("correct horse", True)  # of the conftest's servers, too
    storage = Storage(server_python, models_folder, tmp_path)
    yield storage
    storage.remote.kill()


def connect(analyst, storage: Storage) -> None:
    analyst.dock.server.connect_asked.emit(storage.box)
    until(lambda: analyst.controller.link is Link.ONLINE, "the server has answered")


def test_from_the_first_map_to_one_after_a_restart_no_pixel_travels(analyst, storage: Storage, tmp_path: Path) -> None:
    connect(analyst, storage)
    analyst.open(storage.mounted)
    analyst.choose_model()
    analyst.classify()
    first = analyst.map()
    wrong = (int(first[40, 50]) + 1) % 3
    analyst.mark(50.5, 40.5, wrong)
    assert analyst.map()[40, 50] == wrong
    assert storage.blocks == []

    storage.remote.kill()
    until(lambda: analyst.controller.link is Link.LOST, "the plugin notices")
    storage.remote.start()
    connect(analyst, storage)
    other = (int(analyst.map()[90, 90]) + 1) % 3
    analyst.mark(90.5, 90.5, other)
    refined = analyst.map()
    assert (refined[40, 50], refined[90, 90]) == (wrong, other)
    analyst.classify()
    assert storage.blocks == []

    private = shutil.copy(storage.scene, tmp_path / "private.tif")  # which the server does not see
    analyst.open(private, "private")
    analyst.classify()
    assert len(storage.blocks) == 1
    assert np.array_equal(analyst.map(), first)
