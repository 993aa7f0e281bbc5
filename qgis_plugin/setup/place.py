"""Where the local server lives: one folder for each version of Terrafine, whole or not there at all.

    DATA/Terrafine/0.1.0/                 the virtual environment
    DATA/Terrafine/0.1.0/installed.json   written last; without it the folder is what something that ended early left
    DATA/Terrafine/state/                 what local servers keep of their sessions, whatever their version

DATA is the user's folder for data that stays on this computer, shared by all profiles of QGIS. The names are short, for
Windows and its 260 characters a path.
"""

from __future__ import annotations

import configparser
import json
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from qgis.core import QgsTask
from qgis.PyQt.QtCore import QStandardPaths, pyqtSignal

from terrafine.qgis_plugin.language import tr
from terrafine.shared.errors import ConfigError, TerrafineError

METADATA = Path(__file__).resolve().parents[2] / "metadata.txt"
STAMP = "installed.json"
DOOMED = "-removed-"


def version() -> str:
    """The version of this plugin, and so of the server that goes with it."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(METADATA, encoding="utf-8")
    return parser["general"]["version"]


def data_folder() -> Path:
    """The user's folder for servers."""
    base = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)
    return Path(base) / "Terrafine"


@dataclass(frozen=True)
class Place:
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def scratch(self) -> Path:
        """Where downloads go: on the disk whose room was checked, and removed with the rest if something ends early."""
        return self.folder / "tmp"

    @property
    def state(self) -> Path:
        """Where the server keeps its sessions: beside it, so that they outlive an update."""
        return self.folder.parent / "state"

    @property
    def is_ready(self) -> bool:
        return (self.folder / STAMP).is_file() and self.python.exists()

    def build(self) -> str:
        """Which build of PyTorch it has, "cpu" or "cuda"."""
        return str(json.loads((self.folder / STAMP).read_text("utf-8"))["build"])

    def free_bytes(self) -> int:
        """How much room is left on the disk where it is or would be."""
        there = next(folder for folder in (self.folder, *self.folder.parents) if folder.exists())
        return shutil.disk_usage(there).free

    def finish(self, build: str) -> None:
        """Everything is there and works."""
        shutil.rmtree(self.scratch)
        (self.folder / STAMP).write_text(json.dumps({"version": version(), "build": build}), "utf-8")

    def clear(self, with_state: bool = False) -> None:
        """Delete the folder and what deletions that ended early have left; raises ConfigError.

        It is renamed first: on Windows that fails as a whole while a file is in use, and nothing half-deleted ever
        looks like a server.
        """
        try:
            for folder in (self.folder, *([self.state] if with_state else [])):
                if folder.exists():
                    folder.rename(folder.with_name(f"{folder.name}{DOOMED}{uuid.uuid4().hex[:8]}"))
            for doomed in self.folder.parent.glob(f"*{DOOMED}*"):
                shutil.rmtree(doomed)
        except OSError as error:
            raise ConfigError(
                tr("The folder '{folder}' cannot be removed: {reason}.").format(
                    folder=self.folder, reason=error.strerror
                ),
                tr("Stop the local server, close other windows of QGIS, then try again."),
            ) from error


def default_place() -> Place:
    """Where the server of this plugin's version is, or would be."""
    return Place(data_folder() / version())


class Clearing(QgsTask):
    """Clears a place in the background: thousands of files take seconds."""

    cleared = pyqtSignal(object)  # the TerrafineError, or None

    def __init__(self, place: Place, with_state: bool) -> None:
        super().__init__(tr("Removing the local server"))
        self._place, self._with_state = place, with_state
        self._error: TerrafineError | None = None

    def run(self) -> bool:
        try:
            self._place.clear(self._with_state)
        except TerrafineError as error:
            self._error = error
        return self._error is None

    def finished(self, result: bool) -> None:
        self.cleared.emit(self._error)
