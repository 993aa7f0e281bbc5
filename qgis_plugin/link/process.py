"""A local server: found, started with a clean environment, and ended with QGIS, crash included."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections import deque
from pathlib import Path
from typing import Optional

from qgis.core import QgsMessageLog
from qgis.PyQt.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, pyqtSignal

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.link.state_folder import StateFolder
from terrafine.qgis_plugin.setup.place import default_place
from terrafine.shared.errors import ConfigError, ConnectionFailed

ENVIRONMENT = "TERRAFINE_SERVER_PYTHON"
FOREIGN = ("PYTHON", "GDAL_", "PROJ_", "QT_", "QGIS_")  # prefixes of variables that mean QGIS's own libraries
SERVE = ("serve", "--port", "0", "--announce", "-", "--exit-with-stdin")
START_TIMEOUT_S = 120  # the first import of torch from a cold disk is slow
STOP_TIMEOUT_S = 3
LOG_LINES = 20
ROUTINE = " INFO "  # of log lines that do not say why it has ended
GIVES_WAY = 5  # how nice it is to other programs, in Unix's terms
KEEP_DAYS = 14  # that the server keeps a session which is not used, with the pixels and what was learnt


def find_command(chosen: str = "") -> Optional[list[str]]:
    """How to run `terrafine` in an environment that has the server, or None.

    Looked for in: `chosen`, the environment variable, what the plugin has set up, a virtual environment beside the
    plugin (a checkout), the PATH.
    """
    beside, own = Path(__file__).resolve().parents[2] / ".venv", default_place()
    places = [chosen, os.environ.get(ENVIRONMENT, ""), str(own.python) if own.is_ready else ""]
    places += [str(beside / "bin/python"), str(beside / "Scripts/python.exe")]
    found = next((place for place in places if place and Path(place).is_file()), None) or shutil.which("terrafine")
    if not found:
        return None
    return [found] if Path(found).stem == "terrafine" else [found, "-m", "terrafine.server.cli"]


def clean_environment() -> QProcessEnvironment:
    """This process's environment without what belongs to QGIS's own Python, GDAL, PROJ and Qt."""
    environment = QProcessEnvironment.systemEnvironment()
    for name in environment.keys():  # noqa: SIM118 - not a dict
        if name.upper().startswith(FOREIGN):
            environment.remove(name)
    return environment


def give_way(pid: int) -> None:
    """Let a server that has just been started leave a busy core to QGIS, which has to answer the hand at once.

    The threads and processes that it starts do likewise. Windows prefers the window in front by itself.
    """
    if sys.platform != "win32" and pid:  # 0 would be QGIS
        with contextlib.suppress(ProcessLookupError):  # it has ended already, which is told elsewhere
            os.setpriority(os.PRIO_PROCESS, pid, GIVES_WAY)


class ServerProcess(QObject):
    """Starts and stops the server without ever waiting for it.

    started  the address it listens at
    ended    ConnectionFailed that says why, where it was not asked to
    """

    started = pyqtSignal(str)
    ended = pyqtSignal(object)

    def __init__(self, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._process: Optional[QProcess] = None
        self._ending: Optional[QProcess] = None  # holds the state folder still
        self._state = StateFolder()
        self._tail: deque[str] = deque(maxlen=LOG_LINES)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.timeout.connect(self._too_slow)

    @property
    def pid(self) -> int:
        """The server's process id; 0 if there is none."""
        return self._process.processId() if self._process is not None else 0

    def start(self, chosen: str, models_folder: str = "") -> None:
        """Start a server; raises ConfigError if none can be found."""
        self.stop()
        command = find_command(chosen)
        if command is None:
            raise ConfigError(
                tr("No Terrafine server was found on this computer."),
                tr("Set one up, or choose the Python that has it, in the server's menu."),
            )
        self._tail.clear()
        self._process = self._new_process()
        self._process.setProgram(command[0])
        self._process.setArguments([*command[1:], *SERVE, *self._options(models_folder)])
        self._patience.start(START_TIMEOUT_S * 1000)
        if self._ending is None:
            self._process.start()

    def stop(self) -> None:
        """Ask the server to end by closing its standard input; kill it if it does not."""
        process, self._process = self._process, None
        self._patience.stop()
        if process is None:
            return
        process.disconnect()
        process.finished.connect(process.deleteLater)
        if process.state() == QProcess.ProcessState.NotRunning:  # it waits for another to end
            process.deleteLater()
            return
        self._ending = process
        process.finished.connect(self._has_ended)
        process.closeWriteChannel()
        QTimer.singleShot(STOP_TIMEOUT_S * 1000, process.kill)

    def close(self) -> None:
        """Stop and wait, when the plugin is unloaded."""
        self.stop()
        process = self._ending
        if process is not None and not process.waitForFinished(STOP_TIMEOUT_S * 1000):
            process.kill()
            process.waitForFinished(STOP_TIMEOUT_S * 1000)
        self._state.release()

    def _options(self, models_folder: str) -> list[str]:
        state = self._state.take(default_place().state)
        keeping = ["--state-dir", str(state), "--keep-days", str(KEEP_DAYS)] if state else []
        return [*(["--models", models_folder] if models_folder else []), *keeping]

    def _has_ended(self) -> None:
        """The next one may use the state folder."""
        self._ending = None
        if self._process is not None:
            self._process.start()

    def _new_process(self) -> QProcess:
        process = QProcess(self)
        process.setProcessEnvironment(clean_environment())
        process.setWorkingDirectory(str(Path.home()))
        process.started.connect(lambda: give_way(process.processId()))
        process.readyReadStandardOutput.connect(self._read_announcement)
        process.readyReadStandardError.connect(self._read_log)
        process.errorOccurred.connect(self._failed)
        process.finished.connect(self._finished)
        return process

    def _read_announcement(self) -> None:
        while self._process is not None and self._process.canReadLine():
            line = bytes(self._process.readLine()).decode(errors="replace").strip()
            address = _address(line)
            if address:
                self._patience.stop()
                self.started.emit(address)

    def _read_log(self) -> None:
        for line in bytes(self._process.readAllStandardError()).decode(errors="replace").splitlines():
            self._tail.append(line)
            QgsMessageLog.logMessage(line, "Terrafine server", notifyUser=False)

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._over(tr("The server could not be started: {reason}.").format(reason=self._process.errorString()))

    def _finished(self, code: int) -> None:
        telling = (line for line in reversed(self._tail) if line.strip() and ROUTINE not in line)
        last = next(telling, tr("exit code {code}").format(code=code))
        self._over(tr("The local server has ended: {last}").format(last=last))

    def _too_slow(self) -> None:
        process = self._process
        self._over(tr("The local server did not start within {seconds} seconds.").format(seconds=START_TIMEOUT_S))
        if process is not None:
            process.kill()

    def _over(self, message: str) -> None:
        self._patience.stop()
        if self._process is not None:
            self._process.disconnect()
            self._process.deleteLater()
            self._process = None
        self.ended.emit(ConnectionFailed(message, tr("Start it again; everything drawn is kept.")))


def _address(line: str) -> str:
    """The address in the line of JSON that the server prints once it listens; "" for any other line."""
    try:
        announced = json.loads(line)
    except ValueError:
        return ""
    return str(announced.get("address", "")) if isinstance(announced, dict) else ""
