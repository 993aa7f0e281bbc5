"""Maps by a Ray cluster of three nodes, on this machine: those of one machine, whatever dies meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from terrafine.server.cli import main
from terrafine.server.rasters.work_file import WorkFile

pytest.importorskip("ray", reason="needs terrafine[cluster]")
SIZE = (900, 700)
MARK = '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"class_id": 2}, "geometry": %s}]}'


@pytest.fixture
def predict(models: Path) -> Callable[..., int]:
    """predict(raster, map, *words): the exit code"""
    fixed = ["--model", "tiny", "--models", str(models), "--device", "cpu", "--threads", "1"]
    return lambda raster, out, *words: main(["predict", str(raster), str(out), *fixed, *words])


@pytest.fixture
def on_patch(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """on_patch(n, act): once n patches have come, act."""
    add, came = WorkFile.add, []

    def set_up(number: int, act: Callable[[], None]) -> None:
        def counted(work: WorkFile, *patch) -> None:
            add(work, *patch)
            came.append(patch)
            if len(came) == number:
                act()

        monkeypatch.setattr(WorkFile, "add", counted)

    return set_up


@pytest.fixture
def image(tmp_path: Path, write, scene) -> Path:
    return write(tmp_path / "scene.tif", scene(*SIZE))


@pytest.fixture
def alone(predict, image: Path) -> np.ndarray:
    """The map without Ray."""
    assert predict(image, image.with_name("alone.tif")) == 0
    return pixels(image.with_name("alone.tif"))


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def test_the_map_is_that_of_one_machine_though_a_node_dies_in_the_middle(
    cluster, predict, on_patch, image: Path, alone: np.ndarray
) -> None:
    on_patch(9, cluster.kill_a_node)
    assert predict(image, image.with_name("map.tif"), "--ray", cluster.address) == 0
    np.testing.assert_array_equal(pixels(image.with_name("map.tif")), alone)


def test_what_a_cluster_has_finished_is_not_made_again_by_one_machine(
    cluster, predict, on_patch, image: Path, alone: np.ndarray
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    out = image.with_name("map.tif")
    on_patch(9, interrupt)
    assert predict(image, out, "--ray", cluster.address) == 130
    made: list[int] = []
    on_patch(1, lambda: made.append(1))
    assert predict(image, out) == 0
    np.testing.assert_array_equal(pixels(out), alone)


def test_of_a_folder_each_raster_has_its_map_and_is_not_made_twice(
    cluster, predict, on_patch, write, scene, tmp_path: Path
) -> None:
    sheets, maps, alone = tmp_path / "sheets", tmp_path / "maps", tmp_path / "alone"
    sheets.mkdir()
    for number, size in enumerate([(300, 200), (150, 400), (90, 90)]):
        write(sheets / f"sheet{number}.tif", scene(*size))
    assert predict(sheets, maps, "--ray", cluster.address) == 0
    made: list[int] = []
    on_patch(1, lambda: made.append(1))
    (maps / "sheet1.tif").unlink()
    assert predict(sheets, maps) == 0
    assert predict(sheets, alone) == 0
    for number in range(3):
        np.testing.assert_array_equal(pixels(maps / f"sheet{number}.tif"), pixels(alone / f"sheet{number}.tif"))
