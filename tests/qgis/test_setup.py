"""A local server is set up, cancelled and removed: real processes and environments, small wheels for PyTorch's."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from terrafine.qgis_plugin.link.process import find_command
from terrafine.qgis_plugin.settings import Settings
from terrafine.qgis_plugin.setup import place as places
from terrafine.qgis_plugin.setup.installer import Installer
from terrafine.qgis_plugin.setup.place import Place, default_place
from terrafine.qgis_plugin.setup.recipe import Build, Recipe
from terrafine.qgis_plugin.state import Link
from terrafine.shared.errors import Cancelled, ConfigError
from terrafine.tests.qgis import wheels
from terrafine.tests.qgis.analyst import Analyst, until

pytestmark = pytest.mark.qgis
BASE = str(Path(sys.base_prefix) / "bin/python3")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "données utiles" / "0.1.0")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that pip takes everything from."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheels.torch(folder)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    return folder


class Watch:
    """What an installer says."""

    def __init__(self, installer: Installer) -> None:
        self.words: list[str] = []
        self.errors: list[Exception] = []
        self.ends = 0
        installer.reported.connect(lambda report: self.words.append(report.words))
        installer.failed.connect(self.errors.append)
        installer.finished.connect(self._end)

    def _end(self) -> None:
        self.ends += 1

    def wait(self) -> None:
        until(lambda: self.ends or self.errors, "the set-up has ended", patience_s=240)


@pytest.fixture
def installer():
    installer = Installer()
    yield installer
    installer.close()


@pytest.fixture
def watch(installer: Installer) -> Watch:
    return Watch(installer)


def nothing_is_left(place: Place) -> bool:
    return not place.folder.exists() and not list(place.folder.parent.glob("*-removed-*"))


def _models(place: Place) -> str:
    """What the server that was set up says of its models; nothing around it counts."""
    return subprocess.check_output([str(place.python), "-I", "-m", "terrafine.server.cli", "models"], text=True)


# ---- the whole way --------------------------------------------------------------------------------------------------


def test_a_server_is_set_up_works_and_is_removed_again(installer, watch, place, index):
    recipe = Recipe(BASE, str(wheels.server(index)), Build.CPU, place)
    place.state.mkdir(parents=True)  # of an earlier version
    installer.start(recipe)
    watch.wait()
    assert not watch.errors
    assert place.is_ready
    assert place.state.exists()
    assert place.build() == "cpu"
    assert not place.scratch.exists()
    assert "tiny" in _models(place)
    said = [step.words for step in recipe.steps()]
    assert [words for words in watch.words if words in said] == said
    installer.remove(place)
    until(lambda: watch.ends == 2, "the server is gone")
    assert nothing_is_left(place)
    assert not place.state.exists()


def test_a_server_that_does_not_work_is_not_kept(installer, watch, place, index):
    broken = wheels.server(index, "raise SystemExit('there is no numpy')\n")
    installer.start(Recipe(BASE, str(broken), Build.CPU, place))
    watch.wait()
    assert "there is no numpy" in watch.errors[0].message
    assert nothing_is_left(place)


def test_cancelling_a_download_leaves_nothing(installer, watch, place, index, monkeypatch):
    slow = wheels.SlowIndex(index)
    monkeypatch.setenv("PIP_FIND_LINKS", slow.url)
    installer.start(Recipe(BASE, str(wheels.server(index)), Build.CPU, place))
    until(slow.asked.is_set, "the download is under way")
    until(lambda: any("torch" in words for words in watch.words), "the download is shown")
    installer.cancel()
    watch.wait()
    slow.close()
    assert isinstance(watch.errors[0], Cancelled)
    assert nothing_is_left(place)
    assert not installer.is_busy


def test_cancelling_while_the_environment_is_made_leaves_nothing(installer, watch, place, index):
    recipe = Recipe(BASE, str(wheels.server(index)), Build.CPU, place)
    installer.start(recipe)
    until(place.python.exists, "the environment is being made")
    installer.cancel()
    watch.wait()
    time.sleep(0.5)  # a process that went on would write again
    assert isinstance(watch.errors[0], Cancelled)
    assert nothing_is_left(place)


def test_closing_in_the_middle_leaves_nothing(installer, watch, place, index, monkeypatch):
    slow = wheels.SlowIndex(index)
    monkeypatch.setenv("PIP_FIND_LINKS", slow.url)
    installer.start(Recipe(BASE, str(wheels.server(index)), Build.CPU, place))
    until(slow.asked.is_set, "the download is under way")
    installer.close()
    slow.close()
    assert nothing_is_left(place)


def test_what_an_earlier_set_up_left_half_made_is_no_server_and_goes(installer, watch, place, index):
    place.python.parent.mkdir(parents=True)
    place.python.touch()
    (place.folder / "lib").mkdir()
    (place.folder.parent / "0.0.9-removed-1234").mkdir()
    assert not place.is_ready
    installer.start(Recipe(str(place.folder / "no python"), str(wheels.server(index)), Build.CPU, place))
    watch.wait()
    assert nothing_is_left(place)


def test_two_set_ups_at_once_are_refused(installer, watch, place, index):
    recipe = Recipe(BASE, str(wheels.server(index)), Build.CPU, place)
    installer.start(recipe)
    other = Installer()
    with pytest.raises(ConfigError, match="already"):
        other.start(recipe)
    other.close()
    with pytest.raises(ConfigError, match="already"):
        installer.remove(place)


def test_a_disk_that_is_too_small_is_refused_before_anything_is_fetched(installer, place, index, monkeypatch):
    monkeypatch.setattr(places.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10**9}))
    with pytest.raises(ConfigError, match="1.0 GB free"):
        installer.start(Recipe(BASE, str(wheels.server(index)), Build.CUDA, place))
    assert not place.folder.parent.exists()


# ---- in the window --------------------------------------------------------------------------------------------------


@pytest.fixture
def newcomer(window, tmp_path, monkeypatch):
    """Somebody with the plugin and no server."""
    monkeypatch.delenv("TERRAFINE_SERVER_PYTHON", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("terrafine.qgis_plugin.link.process.__file__", str(tmp_path / "plugin/a/b/c.py"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    Settings(folder=str(tmp_path / "work")).save()
    analyst = Analyst(window)
    yield analyst
    analyst.leave()


def test_somebody_without_a_server_is_offered_one_and_gets_it_with_one_button(newcomer, index):
    panel, desk = newcomer.dock.server, newcomer.plugin.desk.server
    assert find_command() is None
    assert "Set up" in panel.start.text()
    newcomer.press(panel.start)
    dialog = desk.setup
    dialog.wheel.setFilePath(str(wheels.server(index, SERVER)))
    until(dialog.install.isEnabled, "a Python was found")
    newcomer.press(dialog.install)
    assert dialog.progress.isVisible()
    links = (Link.CONNECTING, Link.ONLINE, Link.LOST)
    until(lambda: newcomer.controller.link in links, "it is set up and started", patience_s=240)
    assert find_command() == [str(default_place().python), "-m", "terrafine.server.cli"]
    assert "Set up" not in panel.start.text()
    newcomer.press(dialog.remove)
    until(lambda: not desk.installer.is_busy, "the server is gone")
    assert find_command() is None
    assert newcomer.controller.link is Link.OFFLINE


SERVER = """
import sys
if "serve" in sys.argv:
    print('{"address": "tcp://127.0.0.1:9"}', flush=True)
    sys.stdin.read()
"""


def test_the_window_says_why_a_wheel_will_not_do(newcomer, index):
    newcomer.press(newcomer.dock.server.start)
    dialog = newcomer.plugin.desk.server.setup
    until(dialog.install.isEnabled, "a Python was found")
    newcomer.press(dialog.install)
    assert "has not been chosen" in dialog.state.text()
    dialog.wheel.setFilePath(str(wheels.torch(index)))
    newcomer.press(dialog.install)
    assert "is not the wheel" in dialog.state.text()


def test_the_window_tells_the_size_beforehand(newcomer):
    newcomer.press(newcomer.dock.server.start)
    dialog = newcomer.plugin.desk.server.setup
    assert all("GB of disk" in button.text() for button in dialog.builds.values())
    assert "free" in dialog.state.text()


def test_the_window_says_when_the_chosen_python_is_none(newcomer, tmp_path):
    newcomer.press(newcomer.dock.server.start)
    dialog = newcomer.plugin.desk.server.setup
    until(dialog.install.isEnabled, "a Python was found")
    (tmp_path / "tool").write_text("#!/bin/sh\necho hello\n")
    (tmp_path / "tool").chmod(0o755)
    dialog.python.setFilePath(str(tmp_path / "tool"))
    assert not dialog.install.isEnabled()  # until it was looked at
    assert dialog.python_note.text().startswith("Looking")
    until(lambda: "is no Python" in dialog.python_note.text(), "it was looked at")
    assert not dialog.install.isEnabled()
