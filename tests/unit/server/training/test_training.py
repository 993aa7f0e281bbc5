"""Configuration files and scenes: what is read, and what is refused with which words."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import rasterio
from PIL import Image

from terrafine.models import registry
from terrafine.models.metrics import VOID
from terrafine.server.cli import main
from terrafine.server.training.configuration import read_config
from terrafine.server.training.log import Log
from terrafine.server.training.scenes import load_scenes, training_scenes
from terrafine.shared.errors import ConfigError
from terrafine.tests.unit.server.toy import MODEL, write_scenes

CONFIG = (
    MODEL
    + """\
validate = ["b*"]

[training]
steps = 2
batch = 2
crop_px = 32
validate_every = 2
mixed_precision = false

[training.marks]
most = 3
"""
)


def written(path):
    """Two PNG images with index labels, and the configuration."""
    write_scenes(path, ("a1", "b1"), corner=77)
    (path / "toy.toml").write_text(CONFIG)
    return path


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path)


def config_with(folder, old, new):
    assert old in CONFIG
    (folder / "toy.toml").write_text(CONFIG.replace(old, new))
    return folder / "toy.toml"


def test_a_configuration_names_the_model_the_data_and_the_training(folder):
    config = read_config(folder / "toy.toml")
    assert [c.name for c in config.spec.classes] == ["dark", "bright"]
    assert config.training.steps == 2
    assert config.training.marks.most == 3
    assert config.data.train == ("a*",)


def test_scenes_are_found_by_pattern_and_unknown_labels_are_void(folder):
    config = read_config(folder / "toy.toml")
    (scene,) = load_scenes(config, folder, config.data.train)
    assert scene.name == "a1"
    assert scene.image.shape == (3, 64, 70)
    assert scene.truth[0, 0] == VOID
    assert set(np.unique(scene.truth)) == {0, 1, VOID}


def test_labels_may_be_colours(folder):
    colours = np.zeros((64, 70, 3), np.uint8)
    colours[:32], colours[32:, 0] = (0x10, 0x20, 0x30), (255, 255, 255)
    Image.fromarray(colours).save(folder / "labels" / "a1.png")
    config = read_config(config_with(folder, 'labels = "labels"', 'labels = "labels"\nlabels_are = "colours"'))
    truth = load_scenes(config, folder, ["a*"])[0].truth
    assert (truth[:32] == 0).all()
    assert (truth[32:, 0] == 1).all()
    assert (truth[32:, 1:] == VOID).all()


def test_labels_may_mean_other_classes_or_nothing(folder):
    plain = load_scenes(read_config(folder / "toy.toml"), folder, ["a*"])[0].truth
    config = read_config(config_with(folder, 'labels = "labels"', 'labels = "labels"\nmeans = ["", "dark"]'))
    truth = load_scenes(config, folder, ["a*"])[0].truth
    assert (truth[plain == 0] == VOID).all()
    assert (truth[plain == 1] == 0).all()


def test_labels_that_mean_a_class_which_the_model_has_not_are_refused(folder):
    config = read_config(config_with(folder, 'labels = "labels"', 'labels = "labels"\nmeans = ["darc"]'))
    with pytest.raises(ConfigError, match="darc"):
        load_scenes(config, folder, ["a*"])


def test_a_finer_raster_is_brought_to_the_models_gsd(folder):
    config = read_config(config_with(folder, 'validate = ["b*"]', 'validate = ["b*"]\ngsd_m = 0.5'))
    scene = load_scenes(config, folder, ["a*"])[0]
    assert scene.truth.shape == (32, 35)
    assert scene.image.shape == (3, 32, 35)


def test_pixels_without_data_are_void(folder):
    (folder / "images" / "a1.png").unlink()
    with rasterio.open(
        folder / "images" / "a1.tif", "w", driver="GTiff", width=70, height=64, count=3, dtype="uint8", nodata=0
    ) as dataset:
        pixels = np.full((3, 64, 70), 9, np.uint8)
        pixels[:, 5] = 0
        dataset.write(pixels)
    config = read_config(folder / "toy.toml")
    truth = load_scenes(config, folder, ["a*"])[0].truth
    assert (truth[5] == VOID).all()
    assert (truth[6] != VOID).all()


def test_negative_labels_are_void(folder):
    (folder / "labels" / "a1.png").unlink()
    with rasterio.open(
        folder / "labels" / "a1.tif", "w", driver="GTiff", width=70, height=64, count=1, dtype="int16"
    ) as dataset:
        labels = np.ones((1, 64, 70), np.int16)
        labels[0, 0, :2] = -9999, -2
        dataset.write(labels)
    truth = load_scenes(read_config(folder / "toy.toml"), folder, ["a*"])[0].truth
    assert (truth[0, :3] == [VOID, VOID, 1]).all()


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('train = ["a*"]', 'train = "a*"', "train"),
        ('train = ["a*"]', 'train = ["a*"]\ncounted = "all"', "counted"),
        ('name = "toy"\n', "", "name"),
        ("[data]", "[date]", "data"),
        ("steps = 2", "stepz = 2", "stepz"),
        ("steps = 2", 'steps = "two"', "steps"),
        ("steps = 2", "steps = ", "TOML"),
        ("most = 3", "most = true", "most"),
        ('train = ["a*"]', "", "train"),
        ("tile_px = 64", "tile_px = 63", "tile_px"),
        ('labels = "labels"', 'labels = "labels"\nshare = 1.5', "share"),
    ],
)
def test_what_is_wrong_with_a_configuration_is_named(folder, old, new, word):
    with pytest.raises(ConfigError, match=word):
        read_config(config_with(folder, old, new))


def test_a_share_of_the_training_images_is_spread_over_their_order(folder):
    for name in ("a2", "a3", "a4"):
        for part in ("images", "labels"):
            (folder / part / f"{name}.png").write_bytes((folder / part / "a1.png").read_bytes())
    config = read_config(config_with(folder, 'labels = "labels"', 'labels = "labels"\nshare = 0.5'))
    assert [scene.name for scene in training_scenes(config, folder)] == ["a1", "a3"]


def test_an_image_without_labels_is_named(folder):
    (folder / "labels" / "a1.png").unlink()
    with pytest.raises(ConfigError, match="a1"):
        load_scenes(read_config(folder / "toy.toml"), folder, ["a*"])


def test_no_image_at_all_is_refused(folder):
    with pytest.raises(ConfigError, match="nothing"):
        load_scenes(read_config(folder / "toy.toml"), folder, ["nothing*"])


def test_training_leaves_a_model_a_log_and_curves_and_goes_on(folder, capsys):
    out = folder / "out"
    command = ["train", str(folder / "toy.toml"), "--data", str(folder), "--out", str(out), "--device", "cpu"]
    assert main(command) == 0
    spec, _ = registry.load(out / "model")
    assert spec.name == "toy"
    assert (out / "curves.png").stat().st_size > 1000
    with (out / "log.csv").open() as file:
        values = {row["name"]: float(row["value"]) for row in csv.DictReader(file)}
    assert {"loss_plain", "loss_marked", "miou_0_clicks", "miou_8_clicks", "calibration_error_before"} <= values.keys()
    assert spec.temperature == pytest.approx(values["temperature"], rel=1e-4)
    assert spec.uncertainty == ("entropy", "margin", "odin", "mc-dropout")
    assert main(command) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0


def test_a_resumed_training_forgets_what_the_log_says_of_later_steps(tmp_path):
    with Log(tmp_path / "log.csv", 0) as log:
        for step in (1, 2, 3):
            log.write(step, {"loss_plain": step / 2})
    with Log(tmp_path / "log.csv", 2) as log:
        log.write(3, {"loss_plain": 9.0})
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert rows == ["step,name,value", "1,loss_plain,0.5", "2,loss_plain,1", "3,loss_plain,9"]


def test_images_without_a_single_label_are_refused(folder, capsys):
    Image.fromarray(np.full((64, 70), VOID, np.uint8)).save(folder / "labels" / "a1.png")
    command = ["train", str(folder / "toy.toml"), "--data", str(folder), "--out", str(folder / "out")]
    assert main(command) == 2
    assert "label" in capsys.readouterr().err


def test_a_training_can_start_from_a_model_of_the_same_make_only(folder, capsys):
    spec = read_config(folder / "toy.toml").spec
    registry.save(folder / "model", spec, registry.build(spec))
    command = ["train", str(folder / "toy.toml"), "--data", str(folder), "--start-from", str(folder / "model")]
    assert main([*command, "--out", str(folder / "a")]) == 0
    config_with(folder, "overlap_px = 16", 'overlap_px = 16\nencoding = { kind = "binary", radius_px = 3.0 }')
    assert main([*command, "--out", str(folder / "b")]) == 2
    assert "encoding" in capsys.readouterr().err


def test_evaluation_prints_the_curve(folder, capsys):
    spec = read_config(folder / "toy.toml").spec
    registry.save(folder / "model", spec, registry.build(spec))
    images, labels = str(folder / "images" / "a1.png"), str(folder / "labels")
    command = ["evaluate", "--model", str(folder / "model"), "--images", images, "--labels", labels, "--clicks", "3"]
    assert main([*command, "--json", str(folder / "curve.json"), "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "| 3 |" in printed
    assert "obeyed: always" in printed
    assert (folder / "curve.json").stat().st_size > 100


def test_models_are_listed_and_described(folder, capsys):
    spec = read_config(folder / "toy.toml").spec
    registry.save(folder / "models" / "toy", spec, registry.build(spec))
    assert main(["models", "--models", str(folder / "models")]) == 0
    assert "toy" in capsys.readouterr().out
    assert main(["models", "toy", "--models", str(folder / "models")]) == 0
    assert "#102030" in capsys.readouterr().out
    assert main(["models", "no-such"]) == 1
