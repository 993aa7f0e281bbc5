"""A local server for a GPU: what is found out before gigabytes are fetched, and what PyTorch says afterwards.

NVIDIA's tool and PyTorch are stand-ins: no GPU takes part.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from terrafine.qgis_plugin.setup import place as places
from terrafine.qgis_plugin.setup import recipe as recipes
from terrafine.qgis_plugin.setup.installer import Installer
from terrafine.qgis_plugin.setup.place import Place
from terrafine.qgis_plugin.setup.recipe import SIZES, Build, Recipe, torch_index
from terrafine.shared.errors import ConfigError
from terrafine.tests.qgis import wheels
from terrafine.tests.qgis.analyst import until

pytestmark = [pytest.mark.qgis, pytest.mark.skipif(sys.platform == "win32", reason="stand-ins are shell scripts")]
BASE = str(Path(sys.base_prefix) / "bin/python3")
HAS_GPU = "def zeros(size, device):\n    assert device == 'cuda'\n"
OLD_DRIVER = (
    "def zeros(size, device):\n"
    "    raise RuntimeError('The NVIDIA driver on your system is too old (found version 11040). Please update.')\n"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    usage = type("Usage", (), {"free": 10**12})
    monkeypatch.setattr(places.shutil, "disk_usage", lambda _: usage)
    return Place(tmp_path / "données utiles" / "0.1.0")


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put what NVIDIA's driver comes with on the PATH, or nothing."""
    folder = tmp_path / "driver"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    found = recipes.shutil.which
    monkeypatch.setattr(
        recipes.shutil, "which", lambda name: found(name, path=str(folder) if name == "nvidia-smi" else None)
    )

    def install(says: str, code: int = 0) -> None:
        tool = folder / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
        tool.chmod(0o755)

    return install


class Watched:
    """An installer, what it says, and how it ends."""

    def __init__(self) -> None:
        self.installer, self.words, self.ends = Installer(), [], []
        self.installer.reported.connect(lambda report: self.words.append(report.words))
        self.installer.failed.connect(self.ends.append)
        self.installer.finished.connect(lambda: self.ends.append(None))

    def follow(self, recipe: Recipe):
        """Its error, None where all went well."""
        self.installer.start(recipe)
        until(lambda: bool(self.ends), "the set-up has ended", patience_s=240)
        return self.ends[0]


@pytest.fixture
def watched():
    watched = Watched()
    yield watched
    watched.installer.close()


@pytest.fixture
def recipe(tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch):
    """One for a GPU, with a PyTorch of this code."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", index.as_uri())

    def write(code: str = HAS_GPU) -> Recipe:
        wheels.torch(index, code)
        return Recipe(BASE, str(wheels.server(index)), Build.CUDA, place)

    return write


def test_without_nvidia_s_driver_it_is_refused_and_the_server_that_is_there_stays(driver, recipe, place, watched):
    place.python.parent.mkdir(parents=True)
    place.python.touch()
    with pytest.raises(ConfigError, match="No NVIDIA GPU .* driver is not installed") as refused:
        watched.installer.start(recipe())
    assert "PyTorch for any computer" in refused.value.hint
    assert place.python.exists()
    assert not watched.installer.is_busy


def test_a_driver_that_reaches_no_gpu_is_said_before_anything_is_fetched(driver, recipe, place, watched):
    driver("NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.", code=9)
    error = watched.follow(recipe())
    assert "No NVIDIA GPU" in error.message
    assert "could not communicate" in error.message
    assert "Looking for a GPU" in watched.words
    assert not any("Installing" in words for words in watched.words)
    assert not place.folder.exists()


def test_a_driver_too_old_for_pytorch_is_said_in_its_words_and_nothing_is_kept(driver, recipe, place, watched):
    driver("GPU 0: NVIDIA GeForce GTX 970")
    error = watched.follow(recipe(OLD_DRIVER))
    assert error.message.startswith(
        "PyTorch cannot use this computer's GPU: The NVIDIA driver on your system is too old"
    )
    assert "up to date" in error.hint
    assert not place.folder.exists()


def test_with_a_gpu_the_server_is_kept_and_says_what_it_was_made_for(driver, recipe, place, watched):
    driver("GPU 0: NVIDIA H200")
    made = recipe()
    assert watched.follow(made) is None
    assert place.is_ready
    assert place.build() == "cuda"
    said = [step.words for step in made.steps()]
    assert [words for words in watched.words if words in said] == said


def test_the_size_of_the_build_for_a_gpu_must_fit_on_the_disk(driver, recipe, place, monkeypatch):
    needed = SIZES[Build.CUDA].needed
    assert needed > 4 * SIZES[Build.CPU].needed
    monkeypatch.setattr(places.shutil, "disk_usage", lambda _: type("Usage", (), {"free": needed - 1}))
    with pytest.raises(ConfigError, match=r"9\.1 GB are needed"):
        recipe().check()


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_pytorch_for_a_gpu_is_asked_of_the_index_of_the_system(driver, recipe, monkeypatch, platform):
    monkeypatch.setattr(recipes, "torch_index", lambda build: torch_index(build, platform))
    commands = [step.command() for step in recipe().steps()]
    (command,) = [command for command in commands if "torch" in command]
    assert ("--index-url" in command) == (platform == "win32")


def test_a_computer_without_a_gpu_is_asked_for_none_where_none_is_wanted(driver, recipe):
    made = recipe()
    plain = Recipe(made.python, made.wheel, Build.CPU, made.place)
    plain.check()
    assert not any("GPU" in step.words for step in plain.steps())
