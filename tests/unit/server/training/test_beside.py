"""What goes with a trained model, which stays what it is: a ConfidNet, a refinement module."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from terrafine.models import registry
from terrafine.models.detail.train import HARSH
from terrafine.server.cli import main
from terrafine.server.training import beside
from terrafine.server.training.configuration import read_config
from terrafine.shared.errors import ConfigError
from terrafine.shared.spec import Detail
from terrafine.tests.unit.server.training.test_training import config_with, written

REFINER = """
[refiner]
lessons = 2
steps = 2
batch = 2
crop_px = 32
stride = 2
scales = [2, 1]
patches = 0.5

[refiner.augmentation]
gamma = 0.1

"""


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path)


@pytest.fixture
def command(folder, monkeypatch):
    """The command that trains a ConfidNet in four small steps, for the model in a folder that there is."""
    monkeypatch.setattr(
        beside, "OPTIONS", dataclasses.replace(beside.OPTIONS, steps=4, batch=1, crop_px=32, checkpoint_every=2)
    )
    spec = read_config(folder / "toy.toml").spec
    torch.manual_seed(0)
    registry.save(folder / "model", spec, registry.build(spec))
    return [
        "train",
        str(folder / "toy.toml"),
        "--data",
        str(folder),
        "--confidence",
        str(folder / "model"),
        "--device",
        "cpu",
    ]


def test_a_trained_model_is_given_a_confidnet_and_stays_what_it_is(command, folder, capsys):
    before = (folder / "model" / registry.WEIGHTS).read_bytes()
    assert main(command) == 0
    assert "confidnet" in capsys.readouterr().out
    predictor = registry.load_predictor(folder / "model")
    assert predictor.spec.uncertainty[-1] == "confidnet"
    image, marks = np.zeros((1, 3, 64, 64), np.float32), np.zeros((1, 2, 64, 64), np.float32)
    assert predictor.uncertainty("confidnet", predictor.features(image), None, marks).shape == (1, 64, 64)
    assert (folder / "model" / registry.WEIGHTS).read_bytes() == before
    assert not (folder / "model" / beside.UNFINISHED).exists()


def test_a_confidnet_is_trained_on_from_its_checkpoint(command, folder, monkeypatch):
    assert main(command) == 0
    whole = load_file(folder / "model" / registry.CONFIDENCE)
    steps = beside.train_confidence(read_config(folder / "toy.toml"), folder, folder / "model")
    assert [next(steps)[0] for _ in range(3)] == [1, 2, 3]
    steps.close()
    resumed = beside.train_confidence(read_config(folder / "toy.toml"), folder, folder / "model", resume=True)
    assert [step for step, _, _ in resumed] == [3, 4]
    again = load_file(folder / "model" / registry.CONFIDENCE)
    assert all(torch.allclose(again[name], tensor, atol=1e-5) for name, tensor in whole.items())


def test_a_trained_model_is_given_a_refinement_module_and_stays_what_it_is(folder, capsys):
    config = config_with(folder, "[training.marks]", REFINER + "[training.marks]")
    model = folder / "model"
    registry.save(model, read_config(config).spec, registry.build(read_config(config).spec))
    before = (model / registry.WEIGHTS).read_bytes()
    command = ["train", str(config), "--data", str(folder), "--refiner", str(model), "--device", "cpu"]
    assert main(command) == 0
    assert "more detail" in capsys.readouterr().out
    predictor = registry.load_predictor(model)
    assert predictor.spec.detail == Detail((2, 1), 1.0, 0.5)
    assert predictor.refiner.stride == 2
    assert (model / registry.WEIGHTS).read_bytes() == before
    assert not (model / beside.UNFINISHED_REFINER).exists()


def test_a_refinement_module_is_trained_on_from_its_checkpoint(folder):
    config = read_config(config_with(folder, "[training.marks]", REFINER + "[training.marks]"))
    model = folder / "model"
    registry.save(model, config.spec, registry.build(config.spec))
    shorter = dataclasses.replace(config.refiner, steps=1)
    steps = beside.train_refiner(dataclasses.replace(config, refiner=shorter), folder, model)
    assert [next(steps)[0] for _ in range(3)] == [1, 2, 3]
    steps.close()
    resumed = beside.train_refiner(config, folder, model, resume=True)
    assert [done for done, _, _ in resumed] == [1, 2, 4]  # two lessons, and the second step
    assert (model / registry.REFINER).exists()


def test_the_refiners_table_is_checked(folder):
    options = read_config(config_with(folder, "[training.marks]", REFINER + "[training.marks]")).refiner
    assert (options.augmentation.gamma, options.augmentation.contrast) == (0.1, HARSH.contrast)
    for wrong in ("[refiner]\nscales = [1, 2]\n", "[refiner]\nstepz = 3\n", "[refiner.augmentation]\nhue = 1.0\n"):
        with pytest.raises(ConfigError, match="refiner"):
            read_config(config_with(folder, "[training.marks]", wrong + "[training.marks]"))
