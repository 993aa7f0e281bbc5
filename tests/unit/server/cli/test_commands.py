from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform

from terrafine.models.networks.magnet import Refiner
from terrafine.models.registry import describe, save_refiner
from terrafine.server import cli
from terrafine.server.cli import main
from terrafine.server.engine import engine
from terrafine.shared.spec import Detail

PLACES = [(5.5, 6.5), (100.5, 20.5), (60.5, 80.5)]

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture
def raster(tmp_path: Path, write_raster, noise) -> Path:
    return write_raster(tmp_path / "an image é.tif", noise(90, 120))


def predict(models: Path, *words: object) -> int:
    return main(["predict", *map(str, words), "--model", "tiny", "--models", str(models)])


def test_predict_writes_a_map_and_its_uncertainty(models: Path, raster: Path, tmp_path: Path) -> None:
    assert (
        predict(
            models, raster, tmp_path / "map.tif", "--uncertainty", "entropy", tmp_path / "doubt.tif", "--gsd", "0.5"
        )
        == 0
    )
    with rasterio.open(tmp_path / "map.tif") as result, rasterio.open(tmp_path / "doubt.tif") as doubt:
        assert set(np.unique(result.read(1))) <= {0, 1, 2}
        assert doubt.read(1).max() < 255


@pytest.mark.parametrize("detail", ["fine", "fast"])
def test_predict_writes_a_map_of_more_detail(models: Path, raster: Path, tmp_path: Path, detail: str) -> None:
    shutil.copytree(models, tmp_path / "models")
    refiner = Refiner(3)
    refiner.head.bias.data[1] = 50.0  # of the one class that it sees everywhere
    save_refiner(tmp_path / "models" / "tiny", refiner, Detail((2, 1), 1.0, 1.0))
    assert predict(tmp_path / "models", raster, tmp_path / "map.tif", "--detail", detail) == 0
    with rasterio.open(tmp_path / "map.tif") as result:
        assert set(np.unique(result.read(1))) == {1}


def test_a_detail_that_is_not_offered_leaves_no_map(models: Path, raster: Path, tmp_path: Path, capsys) -> None:
    assert predict(models, raster, tmp_path / "map.tif", "--detail", "fine") == 2
    assert "no refinement module" in capsys.readouterr().err
    assert not (tmp_path / "map.tif").exists()


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """Two points in pixels of the raster, which has no CRS."""
    points = [
        {"geometry": {"type": "Point", "coordinates": at}, "properties": {"class_id": i}} for i, at in enumerate(PLACES)
    ]
    path = tmp_path / "marks.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": points}), "utf-8")
    return path


def test_predict_obeys_marks(models: Path, raster: Path, marks: Path, tmp_path: Path) -> None:
    assert predict(models, raster, tmp_path / "map.tif", "--marks", marks) == 0
    with rasterio.open(tmp_path / "map.tif") as result:
        assert [result.read(1)[int(y), int(x)] for x, y in PLACES] == [0, 1, 2]


@pytest.mark.parametrize("method", ["margin", "odin"])
def test_predict_writes_any_uncertainty_that_the_model_has(models, raster, tmp_path: Path, method: str) -> None:
    assert predict(models, raster, tmp_path / "map.tif", "--uncertainty", method, tmp_path / "doubt.tif") == 0
    with rasterio.open(tmp_path / "doubt.tif") as doubt:
        assert 0 < doubt.read(1).max() < 255


@pytest.mark.parametrize(
    "place", [{}, {"crs": "EPSG:32640", "transform": rasterio.Affine(0.5, 0, 35e4, 0, -0.5, 27e5)}]
)
def test_uncertainty_is_written_at_full_and_at_reduced_resolution(models, tmp_path, write_raster, noise, place) -> None:
    raster = write_raster(tmp_path / "image.tif", noise(90, 120), **place)
    line = ["uncertainty", raster, tmp_path / "whole.tif", "--model", "tiny", "--models", models]
    assert main([str(word) for word in line]) == 0
    assert main([str(word) for word in [*line[:2], tmp_path / "squares.tif", *line[3:], "--factor", 40]]) == 0
    with rasterio.open(tmp_path / "whole.tif") as whole, rasterio.open(tmp_path / "squares.tif") as squares:
        assert (whole.shape, squares.shape, squares.scales) == ((90, 120), (3, 3), (1 / 254,))
        means = [[whole.read(1)[r : r + 40, c : c + 40].mean() for c in (0, 40, 80)] for r in (0, 40, 80)]
        np.testing.assert_allclose(squares.read(1), means, atol=1.0)
        side = 0.5 if place else 1.0
        assert (squares.transform.a, squares.transform.e) == (40 * side, -40 * side)
        assert squares.crs == whole.crs


@pytest.mark.parametrize("words", [("--factor", "0"), ("--factor", "257"), ("--method", "astrology")])
def test_uncertainty_that_cannot_be_measured_is_a_usage_error(models, raster: Path, tmp_path: Path, words) -> None:
    line = ["uncertainty", raster, tmp_path / "doubt.tif", "--model", "tiny", "--models", models, *words]
    assert main([str(word) for word in line]) == 2
    assert not (tmp_path / "doubt.tif").exists()


def test_the_image_is_not_overwritten_by_its_uncertainty(models, raster: Path) -> None:
    before = raster.read_bytes()
    assert main(["uncertainty", str(raster), str(raster), "--model", "tiny", "--models", str(models)]) == 2
    assert raster.read_bytes() == before


def test_what_was_learnt_is_a_model_like_others(models, raster, marks, tmp_path: Path, capsys) -> None:
    out = tmp_path / "mine"
    line = ["learn", raster, marks, out, "--steps", 2, "--models", models, "--model", "tiny", "--title", "My own"]
    assert main([str(word) for word in line]) == 0
    assert "saved as 'mine'" in capsys.readouterr().out
    card = (out / "card.md").read_text("utf-8")
    for fact in (
        "# mine\n\nMy own",
        "`tiny`",
        raster.name,
        "3: 1 water, 1 bare land, 1 trees",
        "scope decoder, 2 steps",
    ):
        assert fact in card
    assert main(["predict", str(raster), str(tmp_path / "map.tif"), "--model", "mine", "--models", str(tmp_path)]) == 0


def test_a_class_that_the_model_never_knew_is_learnt(models, raster, marks, tmp_path: Path) -> None:
    shapes = json.loads(marks.read_text("utf-8"))
    shapes["features"][2]["properties"] = {"class_name": "solar panels"}
    marks.write_text(json.dumps(shapes), "utf-8")
    line = ["learn", raster, marks, tmp_path / "sunny", "--models", models, "--model", "tiny", "--scope", "head"]
    assert main([str(word) for word in [*line, "--new-class", "solar panels"]]) == 0
    assert [item.name for item in describe(tmp_path / "sunny").classes][3:] == ["solar panels"]
    assert main([str(word) for word in [*line[:3], tmp_path / "b", *line[4:], "--new-class", "water"]]) == 2


def test_a_legend_of_ones_own_is_learnt_and_goes_on_with_what_the_model_knows(models, raster, marks, tmp_path) -> None:
    shapes = json.loads(marks.read_text("utf-8"))
    for shape, name in zip(shapes["features"], ("reeds", "water", "reeds")):
        shape["properties"] = {"class_name": name}
    marks.write_text(json.dumps(shapes), "utf-8")
    line = ["learn", raster, marks, tmp_path / "shore", "--models", models, "--model", "tiny", "--scope", "head"]
    assert main([str(word) for word in [*line, "--classes", "reeds,water"]]) == 0
    known = {item.name: item.color for item in describe(models / "tiny").classes}
    reeds, water = describe(tmp_path / "shore").classes
    assert (reeds.name, water.name, water.color) == ("reeds", "water", known["water"])
    assert reeds.color not in known.values()
    assert main([str(word) for word in [*line[:3], tmp_path / "b", *line[4:], "--classes", "reeds,reeds"]]) == 2


def test_a_name_that_no_model_can_have_is_refused_before_learning(models, raster, marks, tmp_path, capsys) -> None:
    line = ["learn", raster, marks, tmp_path / "my model", "--models", models, "--model", "nowhere"]
    assert main([str(word) for word in line]) == 2
    assert "'my model' cannot be a model's name" in capsys.readouterr().err


def test_learning_never_overwrites_a_model(models, raster, marks, tmp_path: Path, capsys) -> None:
    line = ["learn", raster, marks, models / "tiny", "--models", models, "--model", "tiny"]
    assert main([str(word) for word in line]) == 2
    assert "is there already" in capsys.readouterr().err


def test_ranked_patches_are_printed_and_written_where_they_lie(models, tmp_path, write_raster, noise, capsys) -> None:
    place = {"crs": "EPSG:32640", "transform": rasterio.Affine(0.5, 0, 350000, 0, -0.5, 2780000)}
    raster, out = write_raster(tmp_path / "image.tif", noise(90, 120), **place), tmp_path / "patches.geojson"
    line = ["rank", raster, "--model", "tiny", "--models", models, "--size", 64, "--out", out]
    assert main([str(word) for word in line]) == 0
    printed = [row.split() for row in capsys.readouterr().out.splitlines()[1:]]
    features = json.loads(out.read_text("utf-8"))["features"]
    assert [feature["properties"]["rank"] for feature in features] == [1, 2, 3, 4] == [int(row[0]) for row in printed]
    for row, feature in zip(printed, features):
        col, top, width, height = map(int, row[2:])
        lon, lat = zip(*feature["geometry"]["coordinates"][0])
        xs, ys = transform("EPSG:4326", "EPSG:32640", lon, lat)
        assert [min(xs), max(xs)] == pytest.approx([350000 + col / 2, 350000 + (col + width) / 2], abs=1e-3)
        assert [min(ys), max(ys)] == pytest.approx([2780000 - (top + height) / 2, 2780000 - top / 2], abs=1e-3)


@pytest.mark.parametrize("words", [("--size", "3"), ("--limit", "0"), ("--method", "astrology")])
def test_patches_that_cannot_be_ranked_are_a_usage_error(models, raster: Path, words) -> None:
    assert main(["rank", str(raster), "--model", "tiny", "--models", str(models), *words]) == 2


@pytest.mark.parametrize("words", [("--steps", "0"), ("--rate", "-1"), ("--regularisation", "nan")])
def test_what_cannot_be_learnt_is_a_usage_error(models, raster: Path, marks: Path, tmp_path: Path, words) -> None:
    line = ["learn", str(raster), str(marks), str(tmp_path / "out"), "--model", "tiny", "--models", str(models)]
    assert main([*line, *words]) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("gsd", "warning"), [((), "unknown"), (("--gsd", "300"), "is 300 m"), (("--gsd", "0.5"), "")])
def test_a_gsd_by_hand_is_what_counts(models: Path, raster: Path, tmp_path: Path, capsys, gsd, warning: str) -> None:
    predict(models, raster, tmp_path / "map.tif", *gsd)
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("terrafine: warning")]
    assert len(warnings) == bool(warning)
    assert all(warning in line for line in warnings)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nix.tif", "map.tif", "--model", "tiny"], 1, "no file"),
        (["{raster}", "map.tif", "--model", "none"], 1, "no model 'none'"),
        (["{raster}", "{raster}", "--model", "tiny"], 2, "different files"),
        (["{raster}", "nix/map.tif", "--model", "tiny"], 2, "no folder"),
        (["{raster}", "map.tif", "--model", "tiny", "--bands", "1,2,9"], 1, "[1, 2, 9]"),
        (["{raster}", ".", "--model", "tiny"], 2, "is a folder"),
        (["{raster}", "map.tif", "--model", "tiny", "--device", "abacus"], 2, "no device 'abacus'"),
        (["{raster}", "map.tif", "--model", "tiny", "--models", "nix"], 2, "no folder 'nix'"),
        (
            ["{raster}", "map.tif", "--model", "tiny", "--uncertainty", "astrology", "d.tif"],
            2,
            "no uncertainty 'astrology'",
        ),
        (["{raster}", "map.tif", "--model", "tiny", "--uncertainty", "entropy", "map.tif"], 2, "different files"),
        (["{raster}", "map.tif", "--model", "tiny", "--marks", "nix.gpkg"], 1, "nix.gpkg"),
    ],
)
def test_what_is_wrong_is_said_and_the_exit_code_tells(
    models: Path, raster: Path, tmp_path: Path, monkeypatch, capsys, words: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    filled = [word.format(raster=raster) for word in words]
    assert main(["predict", *filled, "--models", str(models)]) == code
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("terrafine: error: ")]
    assert message in error
    assert [path.name for path in tmp_path.iterdir()] == [raster.name]


def test_a_file_that_is_in_the_way_is_named(raster: Path, capsys) -> None:
    assert main(["demo", "--out", str(raster)]) == 1
    assert capsys.readouterr().err == f"terrafine: error: File exists: '{raster}'\n"


@pytest.mark.parametrize("words", [["predict", "a", "b", "--model", "m", "--gsd", "-1"], ["nonsense"], []])
def test_a_line_that_makes_no_sense_ends_with_code_2(words: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_ctrl_c_ends_with_130_and_leaves_no_file(models: Path, raster: Path, tmp_path: Path, monkeypatch) -> None:
    def interrupt(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "predict", interrupt)
    assert predict(models, raster, tmp_path / "map.tif") == 130
    assert [path.name for path in tmp_path.iterdir()] == [raster.name]


@pytest.mark.parametrize("command", ["serve", "predict", "learn", "rank", "uncertainty"])
def test_every_help_shows_examples(command: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"terrafine {command}" in capsys.readouterr().out.split("examples:")[1]


def test_help_does_not_load_torch() -> None:
    code = (
        "import sys; from terrafine.server.cli import main\n"
        "try: main(['predict', '--help'])\nexcept SystemExit: sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "given", "used"),
    [
        ("OMP_WAIT_POLICY", None, "PASSIVE"), ("OMP_WAIT_POLICY", "ACTIVE", "ACTIVE"),
        ("GOMP_SPINCOUNT", None, "2000"), ("GOMP_SPINCOUNT", "0", "0"),
        ("OPENBLAS_NUM_THREADS", None, "1"), ("OPENBLAS_NUM_THREADS", "4", "4"),
    ],
)  # fmt: skip
def test_waiting_threads_hardly_spin_unless_the_user_wants_it(monkeypatch, name, given, used) -> None:
    for each in cli.THREADS:
        monkeypatch.delenv(each, raising=False)
    if given:
        monkeypatch.setenv(name, given)
    main(["serve", "--host", "0.0.0.0"])
    assert os.environ[name] == used


def test_openblas_hears_of_it_before_it_is_loaded() -> None:
    code = "import sys; import terrafine.server.cli; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_command_has_its_module_and_interface() -> None:
    for name in cli.COMMANDS:
        module = cli.importlib.import_module(f"terrafine.server.cli.{name}")
        assert callable(module.run)
        assert callable(module.add_arguments)
        assert module.HELP


def test_the_server_refuses_to_listen_to_other_computers(capsys) -> None:
    assert main(["serve", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "terrafine keygen" in capsys.readouterr().err
