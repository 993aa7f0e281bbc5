from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from terrafine.models import registry
from terrafine.models.certainty import confidence
from terrafine.models.infer import Predictor
from terrafine.models.precision import half
from terrafine.server import zoo as zoo_module
from terrafine.server.zoo import Zoo, save_model, user_models
from terrafine.shared.errors import BadRequest, ConfigError, NotFound, OutOfMemory


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch):
    """cards(n): torch sees so many."""

    def see(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return see


@pytest.mark.parametrize(
    ("count", "wanted", "used"),
    [(0, "", "cpu"), (0, "cpu", "cpu"), (2, "", "cuda"), (2, "cpu", "cpu"), (2, "cuda:1", "cuda:1")],
)
def test_cuda_is_used_where_it_is_unless_another_is_asked_for(cards, count: int, wanted: str, used: str) -> None:
    cards(count)
    assert Zoo(device=wanted).device == used


@pytest.mark.parametrize(("count", "wanted"), [(0, "cuda"), (0, "cuda:0"), (1, "cuda:1"), (1, "abacus")])
def test_a_device_that_is_not_here_is_a_usage_error(cards, count: int, wanted: str) -> None:
    cards(count)
    with pytest.raises(ConfigError, match=wanted):
        Zoo(device=wanted)


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nix"):
        Zoo([tmp_path / "nix"])


def test_a_model_is_loaded_once_for_all_sessions(tmp_path: Path, spec) -> None:
    registry.save(tmp_path / "tiny", spec, registry.build(spec))
    zoo = Zoo([tmp_path], "cpu")
    assert zoo.predictor("tiny") is zoo.predictor("tiny")
    assert zoo.predictor("tiny").device.type == "cpu"
    with pytest.raises(NotFound):
        zoo.predictor("none")


@pytest.fixture
def predictor(spec) -> Predictor:
    return Predictor(spec, registry.build(spec), precision=half(torch.device("cpu")))


def test_a_saved_model_is_offered_at_once_and_gives_the_same_logits(tmp_path: Path, predictor) -> None:
    zoo = Zoo(device="cpu", saved=tmp_path / "not yet" / "models")
    zoo.save(predictor, replace(predictor.spec, name="mine", title="Mine"), "# mine\n")
    assert "mine" in [spec.name for spec in zoo.specs()]
    image, marks = np.random.default_rng(0).random((2, 1, 3, 64, 64), np.float32)
    logits = [each.logits(each.features(image), marks) for each in (predictor, zoo.predictor("mine"))]
    np.testing.assert_array_equal(*logits)
    assert (tmp_path / "not yet" / "models" / "mine" / "card.md").read_text("utf-8") == "# mine\n"
    assert [path.name for path in (tmp_path / "not yet" / "models").iterdir()] == ["mine"]  # and no draft


def test_a_confidnet_is_saved_with_its_model(tmp_path: Path, spec) -> None:
    network = registry.build(spec)
    sure = replace(spec, name="sure", uncertainty=("entropy", "confidnet"))
    predictor = Predictor(sure, network, confidence=confidence.for_network(network, spec))
    zoo = Zoo(device="cpu", saved=tmp_path)
    zoo.save(predictor, sure, "")
    assert zoo.predictor("sure").confidence is not None


@pytest.mark.parametrize("name", ["tiny", "TINY", "landcover-rgb"])
def test_a_name_that_a_model_has_cannot_be_had(tmp_path: Path, predictor, name: str) -> None:
    zoo = Zoo(device="cpu", saved=tmp_path)
    zoo.save(predictor, predictor.spec, "first")
    with pytest.raises(BadRequest, match="already"):
        zoo.save(predictor, replace(predictor.spec, name=name), "second")
    assert (tmp_path / "tiny" / "card.md").read_text("utf-8") == "first"


@pytest.mark.parametrize("name", [".hidden", "x" * 65, "nul", "Com1.txt", "dot.", "é", "a b", "a:b"])
def test_a_name_that_some_system_cannot_have_is_refused(tmp_path: Path, predictor, name: str) -> None:
    with pytest.raises(BadRequest, match="name"):
        save_model(tmp_path / name, predictor, predictor.spec, "")
    assert not list(tmp_path.iterdir())


def test_what_is_in_a_folder_is_not_overwritten(tmp_path: Path, predictor) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", "utf-8")
    with pytest.raises(BadRequest, match="already"):
        save_model(tmp_path / "mine", predictor, predictor.spec, "")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.txt"]


def test_a_model_that_could_not_be_written_leaves_nothing(tmp_path: Path, predictor, monkeypatch) -> None:
    def fail(*_arguments):
        raise OSError("the disk is full")

    monkeypatch.setattr(registry, "save", fail)
    with pytest.raises(OSError, match="full"):
        save_model(tmp_path / "mine", predictor, predictor.spec, "")
    assert not list(tmp_path.iterdir())


def test_the_last_of_a_disk_is_left_alone(tmp_path: Path, predictor, monkeypatch) -> None:
    monkeypatch.setattr(zoo_module, "DISK_RESERVE_BYTES", 1 << 62)
    with pytest.raises(OutOfMemory, match="no room"):
        save_model(tmp_path / "mine", predictor, predictor.spec, "")


def test_a_server_that_keeps_no_models_says_so(predictor) -> None:
    with pytest.raises(BadRequest, match="--save-models"):
        Zoo(device="cpu").save(predictor, predictor.spec, "")


@pytest.mark.parametrize(
    ("platform", "variable", "folders"),
    [
        ("linux", "XDG_DATA_HOME", "Terrafine/models"),
        ("win32", "LOCALAPPDATA", "Terrafine/models"),
    ],
)
def test_saved_models_lie_in_the_users_data(monkeypatch, tmp_path: Path, platform: str, variable: str, folders) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert user_models() == tmp_path / folders
