"""Made-up files in the layouts of the published data sets."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from PIL import Image

from terrafine.models.metrics import VOID
from terrafine.server.datasets import layouts
from terrafine.server.training.configuration import data_options, parse, read_config, read_document
from terrafine.server.training.scenes import load_scenes, pairs
from terrafine.shared.errors import ConfigError

BASES = layouts.CONFIGURATIONS
SIDE = 40
WHERE = {  # image and labels of two scenes, one for training and one for reports, and one image without labels
    "inria": [
        ("train/images/austin16.tif", "train/gt/austin16.tif"),
        ("train/images/tyrol-w1.tif", "train/gt/tyrol-w1.tif"),
        ("test/images/sfo1.tif", None),
    ],
    "potsdam": [
        ("2_Ortho_RGB/top_potsdam_2_10_RGB.tif", "5_Labels_all/top_potsdam_2_10_label.tif"),
        ("2_Ortho_RGB/top_potsdam_7_12_RGB.tif", "5_Labels_all_noBoundary/top_potsdam_7_12_label_noBoundary.tif"),
        ("2_Ortho_RGB/top_potsdam_2_13_RGB.tif", None),
    ],
    "airs": [
        ("train/image/christchurch_1.tif", "train/label/christchurch_1.tif"),
        ("val/image/christchurch_2.tif", "val/label/christchurch_2_vis.tif"),
        ("test/image/christchurch_3.tif", None),
    ],
    "zurich": [
        ("images_tif/zh9.tif", "groundtruth/zh9_GT.tif"),
        ("images_tif/zh20.tif", "groundtruth/zh20_GT.tif"),
        ("images_tif/zh21.tif", None),
    ],
    "deepglobe": [
        ("train/119_sat.jpg", "train/119_mask.png"),
        ("train/4567_sat.jpg", "train/4567_mask.png"),
        ("valid/5_sat.jpg", None),
    ],
}


def config_of(name):
    return read_config(BASES / f"{name}.toml")


def truth_of(classes):
    """Stripes of all classes, and a last one of none."""
    return np.minimum(np.arange(SIDE) * (classes + 1) // SIDE, classes)[None].repeat(SIDE, 0)


def as_labels(name, truth, path):
    """The stripes as the data set codes them."""
    colours = layouts.LAYOUTS[name].colours
    if not colours:
        return np.where(truth == 1, 255 if "_vis" in path or name == "inria" else 1, 0)[None]
    none = (255, 255, 255) if name == "zurich" else (0, 0, 0)
    return np.array([*colours, none])[truth].transpose(2, 0, 1)


def write(path, bands):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        profile = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": len(bands), "dtype": str(bands.dtype)}
        with rasterio.open(
            path, "w", **profile, crs="EPSG:32632", transform=rasterio.Affine(1, 0, 0, 0, -1, 0)
        ) as file:
            file.write(bands)
    else:
        Image.fromarray(bands.transpose(1, 2, 0)).save(path)


@pytest.fixture(params=WHERE)
def unpacked(request, tmp_path):
    """(name, folder) of a data set that looks as if its archives were unpacked in a folder."""
    name, rng = request.param, np.random.default_rng(0)
    config = config_of(name)
    truth = truth_of(len(config.spec.classes))
    for image, labels in WHERE[name]:
        dtype = np.uint16 if name == "zurich" else np.uint8
        write(tmp_path / "set" / image, rng.integers(1, 250, (len(config.spec.bands), SIDE, SIDE)).astype(dtype))
        if labels:
            write(tmp_path / "set" / labels, as_labels(name, truth, labels).astype(np.uint8))
    return name, tmp_path


def test_each_image_finds_its_labels_and_those_without_are_left_out(unpacked):
    name, folder = unpacked
    config = config_of(name)
    (train,), (test,) = pairs(config.data, folder, config.data.train), pairs(config.data, folder, config.data.test)
    wanted = [tuple(folder / "set" / part for part in pair) for pair in WHERE[name][:2]]
    assert [train, test] == wanted


def test_labels_become_classes_and_what_has_none_is_void(unpacked):
    name, folder = unpacked
    document = read_document(BASES / f"{name}.toml")
    document["model"]["gsd_m"] = document["data"]["gsd_m"] = 1.0
    config = parse(document, name)
    expected = truth_of(len(config.spec.classes))
    void = VOID if layouts.LAYOUTS[name].colours else 0  # a mask of one class has nothing to say "none" with
    for patterns in (config.data.train, config.data.test):
        (scene,) = load_scenes(config, folder, patterns)
        assert scene.image.shape == (len(config.spec.bands), SIDE, SIDE)
        assert np.array_equal(scene.truth, np.where(expected == len(config.spec.classes), void, expected))


def test_colours_that_are_a_little_off_are_forgiven_where_the_code_is_pure(tmp_path):
    bands = np.array([[[250, 3]], [[252, 9]], [[1, 251]]], np.uint8)
    Image.fromarray(bands.transpose(1, 2, 0)).save(tmp_path / "1_mask.png")
    assert layouts.LAYOUTS["deepglobe"].read(tmp_path / "1_mask.png").tolist() == [[1, 4]]


def test_a_grey_mask_is_no_colour_code(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "1_mask.png")
    with pytest.raises(ConfigError, match="1 band"):
        layouts.LAYOUTS["deepglobe"].read(tmp_path / "1_mask.png")


def test_a_layout_that_nobody_knows_is_refused_with_those_there_are(tmp_path):
    document = read_document(BASES / "inria.toml")
    document["data"]["layout"] = "atlantis"
    with pytest.raises(ConfigError, match="atlantis") as refusal:
        pairs(data_options(document), tmp_path, ("*",))
    assert "potsdam" in refusal.value.hint


def test_every_data_set_has_a_configuration_with_its_classes():
    for path in BASES.glob("*.toml"):
        config = read_config(path)
        colours = layouts.LAYOUTS[config.data.layout].colours
        assert len(config.spec.classes) == (len(colours) or 2)
        for entry, colour in zip(config.spec.classes, colours):
            assert entry.color == "#{:02x}{:02x}{:02x}".format(*colour)
