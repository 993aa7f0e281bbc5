"""The demo as a user starts it: a server process of its own, ZeroMQ, files at the end. The model is untrained."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
import torch

from terrafine.models import registry
from terrafine.server.cli import main
from terrafine.server.demo import job, source
from terrafine.server.demo.analyst import Analyst
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

NAMES = ("water", "land", "road", "building", "vegetation", "unlabelled object")
MARKS = 4


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(1)
    spec = ModelSpec(
        name="tiny",
        title="Untrained",
        architecture="linknet",
        encoder="mobilenet_v2_same",
        bands=("red", "green", "blue"),
        classes=tuple(LandCover(i, name, f"#0000{i:02x}") for i, name in enumerate(NAMES)),
        gsd_m=0.5,
        normalisation=Normalisation((0.5,) * 3, (0.5,) * 3),
        tile_px=128,
        overlap_px=32,
    )
    registry.save(folder / "tiny", spec, registry.build(spec))
    return folder


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return source.make_up(tmp_path_factory.mktemp("mädé up"), size_px=256)


@pytest.fixture(scope="module")
def result(models, scene, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "dêmo 1.0"
    words = ["demo", str(scene.raster), "--out", str(folder), "--marks", str(MARKS), "--models", str(models)]
    assert main([*words, "--model", "tiny"]) == 0
    return folder


@pytest.mark.parametrize("name", ["before.tif", "after.tif"])
def test_maps_lie_where_the_raster_lies(result, scene, name):
    with rasterio.open(result / name) as classes, rasterio.open(scene.raster) as raster:
        assert (classes.transform, classes.crs, classes.shape) == (raster.transform, raster.crs, raster.shape)
        assert classes.colormap(1)[4] == (0, 0, 4, 255)


def test_the_marks_changed_the_map(result):
    with rasterio.open(result / "before.tif") as before, rasterio.open(result / "after.tif") as after:
        assert np.count_nonzero(before.read() != after.read()) >= MARKS


def test_the_table_has_all_figures(result):
    table = json.loads((result / "summary.json").read_text("utf-8"))
    assert table["marks"] == MARKS
    assert table["after"]["accuracy"] > table["before"]["accuracy"]
    assert 0 < table["click"]["p50_s"] <= table["click"]["p95_s"]
    assert 0 < table["click"]["bytes_mean"] <= table["click"]["bytes_max"] < 2000
    assert "mIoU" in (result / "summary.md").read_text("utf-8")


def test_the_picture_is_there(result):
    assert (result / "demo.png").read_bytes().startswith(b"\x89PNG")


def test_without_truth_a_scripted_analyst_says_that_it_is_one(models, scene, tmp_path):
    alone = tmp_path / "alone.tif"
    alone.write_bytes(scene.raster.read_bytes())
    summary = job.run(source.find(alone, tmp_path), tmp_path, 2, "tiny", models)
    assert summary.analyst == job.SCRIPTED
    assert summary.before is None


def test_what_has_no_data_has_no_truth(models, scene, tmp_path, monkeypatch):
    raster = tmp_path / "holed.tif"
    with rasterio.open(scene.raster) as whole, rasterio.open(raster, "w", **{**whole.profile, "nodata": 0}) as holed:
        image = np.maximum(whole.read(), 1)
        image[:, :128] = 0
        holed.write(image)
    known = []
    monkeypatch.setattr(job, "Analyst", lambda truth: known.append(truth) or Analyst(truth))
    job.run(source.Source(raster, scene.truth, ""), tmp_path, 1, "tiny", models)
    assert (known[0][:128] == 255).all()
    assert (known[0][128:] < 255).any()


def test_a_bench_of_a_model_that_is_not_there_ends_with_a_message(models, capsys):
    assert main(["bench", "click", "--size", "256", "--models", str(models), "--model", "none"]) == 1
    assert "There is no model 'none'" in capsys.readouterr().err


def test_the_bench_places_points_and_strokes(models, tmp_path, capsys):
    words = ["bench", "click", "--size", "256", "--clicks", "4", "--json", str(tmp_path / "figures.json")]
    assert main([*words, "--models", str(models), "--model", "tiny"]) == 0
    assert "of which strokes, p50 of 1 |" in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert (len(figures["clicks"]), len(figures["strokes"]), figures["differs"]) == (4, 1, 0)


def test_a_model_that_is_not_there_ends_with_a_message(models, scene, tmp_path, capsys):
    words = ["demo", str(scene.raster), "--out", str(tmp_path), "--models", str(models), "--model", "none"]
    assert main(words) == 1
    assert "There is no model 'none'" in capsys.readouterr().err


def test_a_file_that_is_no_raster_ends_with_a_message(models, tmp_path, capsys):
    (tmp_path / "notes.tif").write_text("not a raster", "utf-8")
    assert main(["demo", str(tmp_path / "notes.tif"), "--out", str(tmp_path), "--models", str(models)]) == 1
    assert "notes.tif" in capsys.readouterr().err
