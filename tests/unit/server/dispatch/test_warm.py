"""What is loaded before the first request."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from terrafine.models import registry
from terrafine.server.cli import serve
from terrafine.server.dispatch import Dispatcher
from terrafine.server.journal.folder import StateFolder
from terrafine.server.process import child
from terrafine.server.process.child import EngineOptions
from terrafine.server.process.pipe import Pipe
from terrafine.server.zoo import Zoo
from terrafine.shared.errors import NotFound
from terrafine.shared.geo import Grid
from terrafine.shared.messages import OpenSession
from terrafine.shared.raster import RasterInfo

RASTER = RasterInfo(Grid(200, 150, gsd_m=0.5), "uint8", (1, 2, 3), ((0.0, 255.0),) * 3)


@pytest.fixture
def models(spec, tmp_path: Path) -> Path:
    for name in ("old", "new", "other"):
        renamed = replace(spec, name=name)
        registry.save(tmp_path / "models" / name, renamed, registry.build(renamed))
    return tmp_path / "models"


@pytest.fixture
def state(models: Path, tmp_path: Path) -> Path:
    """Of a server that had a session of the model "old", and later one of "new"."""
    dispatcher = Dispatcher(Zoo([models], "cpu"), StateFolder(tmp_path / "state"))
    for age, name in ((60, "old"), (0, "new")):
        dispatcher.sessions.open("", OpenSession(name, name, RASTER))
        kept = dispatcher.sessions.find("", name)
        os.utime(kept.journal.folder / "journal", (time.time() - age,) * 2)
    dispatcher.close()
    return tmp_path / "state"


def loaded(models: Path, state: Path, warm: tuple[str, ...] = ()) -> set[str]:
    zoo = Zoo([models], "cpu")
    dispatcher = Dispatcher(zoo, StateFolder(state))
    dispatcher.warm_up(warm)
    dispatcher.close()
    return set(zoo._predictors)


def test_the_model_used_last_is_there_at_once(models: Path, state: Path) -> None:
    assert loaded(models, state) == {"new"}


def test_the_administrator_says_which_are(models: Path, state: Path) -> None:
    assert loaded(models, state, ("other", "old")) == {"other", "old"}


def test_a_new_server_loads_none(models: Path, tmp_path: Path) -> None:
    assert loaded(models, tmp_path / "empty") == set()


def test_a_model_that_is_gone_is_an_error_for_whoever_names_it_alone(models: Path, state: Path) -> None:
    for file in (models / "new").iterdir():
        file.unlink()
    assert loaded(models, state) == set()
    with pytest.raises(NotFound):
        loaded(models, state, ("new",))


def test_the_engine_is_ready_when_its_models_are(models: Path, state: Path) -> None:
    ours, theirs = multiprocessing.Pipe()
    options = EngineOptions((models,), device="cpu", saved_models=state.parent / "saved", warm=("old",))
    workshop = child._Workshop(Pipe(theirs), options, state)
    assert set(workshop._dispatcher.zoo._predictors) == {"old"}
    workshop._dispatcher.close()
    for end in (ours, theirs):
        end.close()


def test_serve_passes_the_names_on() -> None:
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    parser.add_argument("--verbose", action="store_true")
    assert serve._options(parser.parse_args(["--warm", "old", "new"])).warm == ("old", "new")
    assert serve._options(parser.parse_args([])).warm == ()
