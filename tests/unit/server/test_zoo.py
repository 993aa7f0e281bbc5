from __future__ import annotations

from pathlib import Path

import pytest
import torch

from terrafine.models import registry
from terrafine.server.zoo import Zoo
from terrafine.shared.errors import ConfigError, NotFound


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
