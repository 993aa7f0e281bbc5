"""Training with points of one's own: where they lie in crops, who is told of them, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from terrafine.models import registry, simulate
from terrafine.models.data import Augmentation, CropSampler, Scene
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.training.loop import Trainer
from terrafine.models.training.maps import MapTask
from terrafine.models.training.options import MarkOptions, TrainOptions
from terrafine.server.cli import main
from terrafine.server.training.configuration import read_config
from terrafine.server.training.scenes import training_scenes
from terrafine.shared.errors import ConfigError
from terrafine.shared.side import SideFields, SideInformation

CONFIG = """
[model]
name = "told"
title = "Told"
architecture = "sideinfnet"
encoder = "mobilenet_v2_same"
bands = ["red", "green", "blue"]
gsd_m = 1.0
tile_px = 64
overlap_px = 16
encoding = { kind = "onehot", radius_px = 1.0 }
side = { names = ["height"], mean = [12.0], std = [5.0] }
normalisation = { mean = [0.5, 0.5, 0.5], std = [0.5, 0.5, 0.5] }
classes = [{ name = "dark", color = "#102030" }, { name = "bright", color = "#FFFFFF" }]

[data]
images = "images"
labels = "labels"
points = "points"
train = ["a"]
gsd_m = 2.0

[training]
steps = 1
batch = 2
crop_px = 64
mixed_precision = false
"""


@pytest.fixture
def folder(tmp_path, noise):
    """An image of 40 pixels a side, of 2 m, its labels, and a point in it and one beside it, in pixels."""
    for name in ("images", "labels", "points"):
        (tmp_path / name).mkdir()
    Image.fromarray(noise(40, 40).transpose(1, 2, 0)).save(tmp_path / "images" / "a.png")
    Image.fromarray(np.indices((40, 40))[1].astype(np.uint8) // 20).save(tmp_path / "labels" / "a.png")
    features = [
        {"type": "Feature", "properties": {"height": height}, "geometry": {"type": "Point", "coordinates": place}}
        for height, place in ((17.0, [10.5, 20.25]), (5.0, [900.0, 2.0]))
    ]
    (tmp_path / "points" / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    (tmp_path / "told.toml").write_text(CONFIG)
    return tmp_path


def test_points_of_a_file_lie_on_the_scene_at_the_models_scale(folder):
    (scene,) = training_scenes(read_config(folder / "told.toml"), folder)
    assert scene.truth.shape == (80, 80)
    assert scene.side == SideInformation(np.array([[21.0, 40.5]], np.float32), np.array([[17.0]], np.float32))


def test_a_model_is_trained_on_points_of_ones_own_and_takes_them(folder):
    out = folder / "out"
    assert main(["train", str(folder / "told.toml"), "--data", str(folder), "--out", str(out)]) == 0
    assert registry.describe(out / "model").side == SideFields(("height",), (12.0,), (5.0,))


def test_numbers_that_are_nowhere_are_told_of(folder):
    (folder / "points" / "a.geojson").unlink()
    with pytest.raises(ConfigError, match="height"):
        training_scenes(read_config(folder / "told.toml"), folder)


@pytest.mark.parametrize("seed", range(16))
def test_points_stay_on_their_pixels_whatever_a_crop_does(seed):
    """Every point's value is the brightness of its pixel, and so it is in the crop."""
    truth, rng = np.zeros((50, 60), np.uint8), np.random.default_rng(seed)
    image = rng.permutation(3000).astype(np.float32).reshape(50, 60) / 3000 * 255
    blocks = np.kron(image[::5, ::5], np.ones((5, 5))).astype(np.uint8)
    rows, cols = np.mgrid[2:50:5, 2:60:5].reshape(2, -1)
    points = SideInformation((np.stack([cols, rows], 1) + 0.5).astype("f4"), blocks[rows, cols][:, None].astype("f4"))
    scene = Scene("a", np.stack([blocks] * 3), truth, points)
    crop, _, side = CropSampler([scene], 1, 32, Augmentation(1.3, 0.0, 0.0, 0.0, 0.0)).draw_with_side(rng)
    inside = (np.abs(side.points - 16) < 15).all(axis=1)
    places = side.points[inside].astype(int)
    assert len(places) > 9
    np.testing.assert_allclose(crop[0][places[:, 1], places[:, 0]] * 255, side.values[inside, 0], atol=2.0)


class Listener(MarkedNetwork):
    """Remembers what it was told."""

    def __init__(self):
        super().__init__()
        self.scale, self.told = torch.nn.Parameter(torch.ones(())), []

    def features(self, image):
        return (image,)

    def decode(self, features, marks):
        self.told.append(marks.numpy().copy())
        return features[0] * self.scale

    def image_side(self):
        return ()


def test_a_step_is_told_some_of_the_crops_own_points_or_none_without_marks(noise, spec, tmp_path):
    from dataclasses import replace

    rng = np.random.default_rng(0)
    places = np.stack(np.meshgrid(np.arange(64), np.arange(64)), -1).reshape(-1, 2)[::7] + 0.5
    side = SideInformation(places.astype("f4"), rng.normal(5, 1, (len(places), 1)).astype("f4"))
    scene = Scene("a", noise(64, 64), rng.integers(0, 3, (64, 64)).astype(np.uint8), side)
    told = replace(spec, side=SideFields(("a",), (0.0,), (1.0,)))
    for none, expected in ((0.0, True), (1.0, False)):
        network, marks = Listener(), MarkOptions(none=none, side_points=20, rounds=1)
        options = TrainOptions(1, 1, 64, marks=marks, augmentation=Augmentation(1.0), mixed_precision=False)
        list(Trainer(MapTask(told, network, [scene], options), tmp_path).run())
        occupied = network.told[-1][0, -1] > 0
        assert (0 < occupied.sum() <= 20) == expected
        values = network.told[-1][0, -2][occupied]
        assert np.isin(values, side.values).all()


def test_some_points_are_no_more_than_there_are(noise):
    side = SideInformation(np.arange(10, dtype="f4").reshape(5, 2), np.arange(5, dtype="f4")[:, None])
    some = simulate.some_points(side, 3, np.random.default_rng(0))
    assert len(np.unique(some.values)) == 3
    assert all((side.points[int(value)] == point).all() for point, (value,) in zip(some.points, some.values))
    assert len(simulate.some_points(side, 99, np.random.default_rng(0))) == 5
