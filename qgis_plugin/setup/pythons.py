"""A Python that can make the server's environment: found on this computer, or chosen by the user and looked at.

`sys.executable` is of no use for that: in QGIS for Windows and macOS it is QGIS itself.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from qgis.core import QgsTask
from qgis.PyQt.QtCore import QProcess, pyqtSignal

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.link.process import clean_environment
from terrafine.shared.errors import ConfigError

OLDEST = (3, 9)
PREFERRED = (12, 13, 11, 10, 14, 9)  # minor versions: those that PyTorch surely has builds for first
PATIENCE_MS = 10_000
SEARCHED = ("/opt/homebrew/bin", "/usr/local/bin", "/Library/Frameworks/Python.framework/Versions/Current/bin")
LOOK = (
    "import json, struct, sys\n"
    "from importlib.util import find_spec\n"
    "print(json.dumps([sys.version_info[:2], struct.calcsize('P') * 8,"
    " all(map(find_spec, ('venv', 'ensurepip')))]))"
)


@dataclass(frozen=True)
class Python:
    path: str
    version: tuple[int, int]

    def __str__(self) -> str:
        return f"Python {self.version[0]}.{self.version[1]}"


def candidates() -> list[str]:
    """Paths of Pythons to look at, the likeliest first, without running any."""
    names = [f"python3.{minor}" for minor in PREFERRED] + ["python3", "python"]
    search = os.pathsep.join((os.environ.get("PATH", ""), *SEARCHED))  # macOS gives applications a very short PATH
    on_path = [shutil.which(name, path=search) for name in names]
    found = [*_of_windows(), *on_path, str(_of_qgis())]
    return list(dict.fromkeys(path for path in found if path and Path(path).is_file()))


def _of_windows() -> Iterator[str]:
    """Where Python's installer for Windows puts it."""
    for variable, folder in (("LOCALAPPDATA", "Programs/Python"), ("PROGRAMFILES", "")):
        if os.environ.get(variable):
            for minor in PREFERRED:
                yield str(Path(os.environ[variable]) / folder / f"Python3{minor}" / "python.exe")


def _of_qgis() -> Path:
    """QGIS's own, which is only used to make an environment beside it."""
    prefix = Path(sys.base_prefix)
    return prefix / "python.exe" if os.name == "nt" else prefix / f"bin/python3.{sys.version_info.minor}"


def look_at(path: str) -> Python:
    """Run a Python for a moment; raises ConfigError where it cannot make the environment. Waits: not for the GUI."""
    process = QProcess()
    process.setProcessEnvironment(clean_environment())
    process.start(path, ["-I", "-c", LOOK])
    if not process.waitForFinished(PATIENCE_MS):
        process.kill()
        process.waitForFinished(PATIENCE_MS)
        raise ConfigError(tr("'{path}' is no Python.").format(path=path), _another())
    return _judge(path, bytes(process.readAllStandardOutput()).decode(errors="replace"))


def _judge(path: str, answer: str) -> Python:
    try:
        (major, minor), bits, is_whole = json.loads(answer)
    except (ValueError, TypeError) as error:
        raise ConfigError(tr("'{path}' is no Python.").format(path=path), _another()) from error
    python = Python(path, (major, minor))
    if python.version < OLDEST or bits < 64:
        message = tr("'{path}' is {python} with {bits} bits; the server needs 3.9 or newer, with 64 bits.")
        raise ConfigError(message.format(path=path, python=python, bits=bits), _another())
    if not is_whole:
        message = tr("{python} at '{path}' lacks its modules venv and ensurepip.")
        hint = tr("On Debian and Ubuntu: sudo apt install python{major}.{minor}-venv")
        raise ConfigError(message.format(path=path, python=python), hint.format(major=major, minor=minor))
    return python


def _another() -> str:
    return tr("Choose another, or install one from python.org.")


class PythonSearch(QgsTask):
    """Looks at one Python, or at all there are until one will do."""

    ended = pyqtSignal(object)  # a Python, or the ConfigError that says why there is none

    def __init__(self, chosen: str = "") -> None:
        super().__init__(tr("Looking for Python"))
        self._chosen = chosen
        self._result: object = None

    def run(self) -> bool:
        for path in [self._chosen] if self._chosen else candidates():
            try:
                self._result = look_at(path)
                return True
            except ConfigError as error:
                self._result = self._result or error  # the likeliest Python's says most
        return False

    def finished(self, result: bool) -> None:
        nothing = ConfigError(tr("There is no Python 3.9 or newer on this computer."), _another())
        self.ended.emit(self._result or nothing)
