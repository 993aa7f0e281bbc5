"""A server that encrypts and reads rasters where they lie: a client with a key names what is none of its business."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from terrafine.shared import messages as m
from terrafine.shared.geo import Grid, Window
from terrafine.shared.patch import Patch, digest
from terrafine.shared.raster import RasterInfo

INFO = RasterInfo(Grid(200, 150, gsd_m=0.5), "uint8", (1, 2, 3), ((0.0, 255.0),) * 3, name="small")
BLOCK = Window(0, 0, 200, 150)
PIXELS = Patch(BLOCK, np.random.default_rng(0).integers(0, 256, (3, 150, 200), np.uint8), np.ones((150, 200), bool))
TRICKS = (
    "", "/", "imagery", "imagery/", "imagery/.", "imagery//scene.tif", "imagery/./scene.tif", "imagery/../secret.tif",
    "imagery/../imagery/scene.tif", "../imagery/scene.tif", "{storage}/secret.tif", "imagery/{storage}/secret.tif",
    "imagery\\scene.tif", "imagery/..\\secret.tif", "imagery/%2e%2e/secret.tif", "imagery/scene.tif\0",
    "imagery/scene.tif\0.png", "imagery/link.tif", "imagery/folder/secret.tif", "imagery/circle.tif",
    "imagery/pipe.tif", "imagery/scene.tif/x", "imagery/" + "x" * 5000, "/vsicurl/http://127.0.0.1:1/scene.tif",
    "imagery//vsizip/x.zip/a.tif", "GTIFF_DIR:1:imagery/scene.tif", "file:imagery/scene.tif", "~/scene.tif",
    "imagery/$HOME/scene.tif",
)  # fmt: skip


@pytest.fixture
def traps(vault) -> None:
    """Beside the folder that may be read is what may not; links and a pipe within it lead there, or nowhere."""
    storage = vault.root.parent
    shutil.copy(vault.root / "scene.tif", storage / "secret.tif")
    (vault.root / "link.tif").symlink_to(storage / "secret.tif")
    (vault.root / "folder").symlink_to(storage)
    (vault.root / "circle.tif").symlink_to(vault.root / "circle.tif")
    os.mkfifo(vault.root / "pipe.tif")


@pytest.mark.skipif(os.name != "posix", reason="makes links and pipes")
def test_a_file_is_opened_by_its_own_name_and_by_no_other(vault, mallory, traps) -> None:
    size = (vault.root / "scene.tif").stat().st_size
    mallory.asked(m.OpenSession("s", "tiny", INFO))
    told = {
        path: mallory.asked(
            m.OpenFile("s", path.replace("{storage}", str(vault.root.parent)), size, (BLOCK,), (digest(PIXELS),))
        )
        for path in (*TRICKS, "imagery/scene.tif")
    }
    assert isinstance(told.pop("imagery/scene.tif"), m.FileOpened)
    assert {path for path, reply in told.items() if getattr(reply, "code", "") != "not_found"} == set()


def test_who_does_not_know_the_pixels_opens_nothing(vault, mallory) -> None:
    size = (vault.root / "scene.tif").stat().st_size
    mallory.asked(m.OpenSession("s", "tiny", INFO))
    for nbytes, told in ((size, "0" * 64), (size + 1, digest(PIXELS))):
        refused = mallory.asked(m.OpenFile("s", "imagery/scene.tif", nbytes, (BLOCK,), (told,)))
        assert refused.code == "unusable_raster"
    assert mallory.asked(m.Predict("s", BLOCK)).windows == (BLOCK,)
