"""`terrafine predict` goes on where an earlier run was stopped: the map is that of a run that never was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from terrafine.server.cli import main
from terrafine.server.rasters.work_file import WorkFile

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture
def raster(tmp_path: Path, write_raster, noise) -> Path:
    return write_raster(tmp_path / "scene.tif", noise(150, 200))


class Run:
    """Runs of one line, each of which may be stopped after some patches."""

    def __init__(self, models: Path, raster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.models, self.raster, self._monkeypatch = models, raster, monkeypatch
        self._add = WorkFile.add

    def __call__(self, out: Path, *words: str, most: int = 10**6) -> tuple[int, int]:
        """(exit code, patches made)"""
        made = []

        def add(work: WorkFile, window, values) -> None:
            if len(made) == most:
                raise KeyboardInterrupt
            made.append(window)
            self._add(work, window, values)

        self._monkeypatch.setattr(WorkFile, "add", add)
        line = ["predict", str(self.raster), str(out), "--model", "tiny", "--models", str(self.models), *words]
        return main(line), len(made)


@pytest.fixture
def run(models: Path, raster: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(models, raster, monkeypatch)


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_run_that_was_stopped_goes_on_and_makes_no_patch_twice(run: Run, tmp_path: Path) -> None:
    code, patches = run(tmp_path / "whole.tif")
    assert (code, patches > 4) == (0, True)
    assert run(tmp_path / "map.tif", most=2) == (130, 2)
    assert names(tmp_path) & {"map.tif", "map.tif.part"} == {"map.tif.part"}
    assert run(tmp_path / "map.tif", most=1) == (130, 1)
    assert run(tmp_path / "map.tif") == (0, patches - 3)
    np.testing.assert_array_equal(pixels(tmp_path / "map.tif"), pixels(tmp_path / "whole.tif"))
    assert not any(name.endswith(".part") or name.startswith(".") for name in names(tmp_path))


def test_its_uncertainty_goes_on_with_it(run: Run, tmp_path: Path) -> None:
    assert run(tmp_path / "whole.tif", "--uncertainty", "entropy", str(tmp_path / "doubt.tif"))[0] == 0
    again = ("--uncertainty", "entropy", str(tmp_path / "doubt2.tif"))
    assert run(tmp_path / "map.tif", *again, most=3) == (130, 3)
    assert run(tmp_path / "map.tif", *again)[0] == 0
    np.testing.assert_array_equal(pixels(tmp_path / "doubt2.tif"), pixels(tmp_path / "doubt.tif"))


@pytest.mark.parametrize("changed", ["options", "raster", "model"])
def test_what_would_be_another_map_begins_anew(run: Run, tmp_path: Path, write_raster, noise, changed: str) -> None:
    assert run(tmp_path / "map.tif", most=3) == (130, 3)
    words = ("--gsd", "0.7") if changed == "options" else ()
    if changed == "raster":
        write_raster(run.raster, noise(150, 200)[:, ::-1])
    if changed == "model":
        weights = next(run.models.glob("tiny/*.safetensors"))
        weights.write_bytes(weights.read_bytes())
    _, all_of_it = run(tmp_path / "whole.tif", *words)
    assert run(tmp_path / "map.tif", *words) == (0, all_of_it)
    np.testing.assert_array_equal(pixels(tmp_path / "map.tif"), pixels(tmp_path / "whole.tif"))


def test_the_draft_of_a_run_that_was_killed_is_cleared_away(run: Run, tmp_path: Path) -> None:
    for name in (".terrafine-map.tif-x1y2", ".terrafine-other.tif-x1y2"):
        (tmp_path / name).mkdir()
    assert run(tmp_path / "map.tif")[0] == 0
    assert {name for name in names(tmp_path) if name.startswith(".")} == {".terrafine-other.tif-x1y2"}
