"""A model that is another one, under the same name, when the server starts again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from terrafine.models import registry
from terrafine.server.engine.sessions import Sessions
from terrafine.server.journal.folder import StateFolder
from terrafine.server.zoo import Zoo
from terrafine.shared.errors import NotFound
from terrafine.shared.geo import Grid
from terrafine.shared.messages import OpenSession
from terrafine.shared.raster import RasterInfo

OPENING = OpenSession("s", "tiny", RasterInfo(Grid(200, 150, gsd_m=0.5), "uint8", (1, 2, 3), ((0.0, 255.0),) * 3))


@pytest.fixture
def folder(models: Path, tmp_path: Path) -> Path:
    """A folder of models of its own, to change."""
    return Path(shutil.copytree(models, tmp_path / "models"))


def started(folder: Path, state: Path) -> Sessions:
    return Sessions(Zoo([folder], "cpu"), StateFolder(state))


def change_weights(folder: Path) -> None:
    spec, network = registry.load(folder / "tiny")
    with torch.no_grad():
        network.head.bias.add_(1.0)
    registry.save(folder / "tiny", spec, network)


def test_a_session_goes_on_with_the_model_that_it_was_opened_with(folder: Path, tmp_path: Path) -> None:
    sessions = started(folder, tmp_path / "state")
    sessions.open("", OPENING)
    sessions.close_all()
    sessions = started(folder, tmp_path / "state")
    assert sessions.find("", "s").session.spec.name == "tiny"
    sessions.close_all()


def test_a_session_of_other_weights_is_forgotten_so_that_its_client_opens_it_anew(folder: Path, tmp_path: Path) -> None:
    sessions = started(folder, tmp_path / "state")
    sessions.open("", OPENING)
    sessions.close_all()
    change_weights(folder)
    sessions = started(folder, tmp_path / "state")
    with pytest.raises(NotFound):
        sessions.find("", "s")
    sessions.open("", OPENING)
    assert len(sessions) == 1
    sessions.close_all()


def test_a_digest_is_of_the_weights_and_of_the_description(folder: Path) -> None:
    first = registry.digest(folder / "tiny")
    assert registry.digest(folder / "tiny") == first
    change_weights(folder)
    second = registry.digest(folder / "tiny")
    description = folder / "tiny" / registry.DESCRIPTION
    description.write_text(description.read_text("utf-8").replace('"Tiny"', '"Small"'), "utf-8")
    assert len({first, second, registry.digest(folder / "tiny")}) == 3


def test_the_digest_is_that_of_the_model_in_use_whatever_its_folder_holds_by_now(folder: Path) -> None:
    zoo = Zoo([folder], "cpu")
    zoo.predictor("tiny")
    first = zoo.digest("tiny")
    change_weights(folder)
    assert zoo.digest("tiny") == first != registry.digest(folder / "tiny")
