from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

from terrafine.models.registry import build, save
from terrafine.server import cli, engine
from terrafine.server.cli import main

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, spec) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save(folder / spec.name, spec, build(spec))
    return folder


@pytest.fixture
def raster(tmp_path: Path, write_raster, noise) -> Path:
    return write_raster(tmp_path / "an image é.tif", noise(90, 120))


def predict(models: Path, *words: object) -> int:
    return main(["predict", *map(str, words), "--model", "tiny", "--models", str(models)])


def test_predict_writes_a_map_and_its_uncertainty(models: Path, raster: Path, tmp_path: Path) -> None:
    assert predict(models, raster, tmp_path / "map.tif", "--uncertainty", tmp_path / "doubt.tif", "--gsd", "0.5") == 0
    with rasterio.open(tmp_path / "map.tif") as result, rasterio.open(tmp_path / "doubt.tif") as doubt:
        assert set(np.unique(result.read(1))) <= {0, 1, 2}
        assert doubt.read(1).max() < 255


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


@pytest.mark.parametrize("command", ["serve", "predict"])
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


@pytest.mark.parametrize(("given", "used"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_do_not_spin_unless_the_user_wants_it(monkeypatch, given: str | None, used: str) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if given:
        monkeypatch.setenv("OMP_WAIT_POLICY", given)
    main(["serve", "--host", "0.0.0.0"])
    assert os.environ["OMP_WAIT_POLICY"] == used


def test_every_command_has_its_module_and_interface() -> None:
    for name in cli.COMMANDS:
        module = cli.importlib.import_module(f"terrafine.server.cli.{name}")
        assert callable(module.run)
        assert callable(module.add_arguments)
        assert module.HELP


def test_the_server_refuses_to_listen_to_other_computers(capsys) -> None:
    assert main(["serve", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "terrafine keygen" in capsys.readouterr().err
