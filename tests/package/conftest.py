"""The plugin as it is handed out, in the real QGIS program, on a screen that nobody sees."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from terrafine.tests.package import qgis_program
from terrafine.tests.package.places import Place, small

LIMIT_S = 800
RELOADS = 20
TILE_PX, TILES = 40, 4
COLORS = ([40, 60, 160], [190, 170, 130], [200, 80, 60])

if importlib.util.find_spec("qgis") is None:  # the server's environment: these tests are for QGIS's Python
    collect_ignore_glob = ["*.py"]


@pytest.fixture(scope="session")
def went(server_python: str, models_folder: Path, address: str, tmp_path_factory) -> dict[str, Any]:
    """How the guide's jobs and the reloads went, and where the pictures are."""
    missing = qgis_program.missing()
    if missing:
        pytest.skip(f"there is no {' and no '.join(missing)}")
    folder = tmp_path_factory.mktemp("package")
    place, pictures = town(folder), folder / "pictures"
    jobs = [(name, place) for name in ("refine", "deliver", "adapt")]
    reloads = qgis_program.Reloads(place, address, RELOADS)
    order = qgis_program.Order(jobs, pictures, str(models_folder), reloads)
    return {**qgis_program.run(order, folder, server_python, LIMIT_S), "pictures": pictures}


def town(folder: Path) -> Place:
    """A made-up image of three colours, and what is really there."""
    from terrafine.tests.qgis import scenes

    rng = np.random.default_rng(1)
    truth = np.kron(rng.integers(0, len(COLORS), (TILES, TILES)), np.ones((TILE_PX, TILE_PX), int)).astype(np.uint8)
    noise = rng.integers(0, 30, (3, *truth.shape), np.uint8)
    image = np.array(COLORS, np.uint8)[truth].transpose(2, 0, 1) + noise
    for name, values in (("town.tif", image), ("truth.tif", truth[None])):
        scenes.write(folder / name, values)
    return small(folder / "town.tif", folder / "truth.tif")
