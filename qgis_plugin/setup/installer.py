"""Follows a recipe, one process at a time, and never waits for any. What ends early leaves nothing behind."""

from __future__ import annotations

from collections import deque
from typing import Callable, Optional

from qgis.core import QgsApplication, QgsMessageLog
from qgis.PyQt.QtCore import QLockFile, QObject, QProcess, pyqtSignal

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.setup.pip_output import PipOutput, Report
from terrafine.qgis_plugin.setup.place import Clearing, Place
from terrafine.qgis_plugin.setup.recipe import SIZES, Recipe, Step
from terrafine.shared.errors import Cancelled, ConfigError, TerrafineError

LOG = "Terrafine set-up"
END_MS = 30_000  # that the plugin waits, when it is unloaded, for a process that was killed


class Installer(QObject):
    """Makes and removes a local server; one thing at a time.

    reported  Report: what goes on
    finished  the server is there and works, or, after `remove`, is gone
    failed    the TerrafineError that says why not, Cancelled included; nothing is left of it
    """

    reported = pyqtSignal(object)
    finished = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(self, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._recipe: Optional[Recipe] = None
        self._steps: deque[Step] = deque()
        self._step: Optional[Step] = None
        self._process: Optional[QProcess] = None
        self._clearing: Optional[Clearing] = None
        self._lock: Optional[QLockFile] = None
        self.is_cancelled = False
        self._output, self._last = PipOutput(0), ""

    @property
    def is_busy(self) -> bool:
        return self._lock is not None

    def start(self, recipe: Recipe) -> None:
        """Make a server in place of the one that may be there; raises ConfigError where that makes no sense."""
        recipe.check()
        self._begin(recipe.place)
        self._recipe, self._steps = recipe, deque(recipe.steps())
        self._output, self._last = PipOutput(SIZES[recipe.build].fetched), ""
        self.reported.emit(Report(tr("Making room")))
        self._clear(recipe.place, self._first)

    def remove(self, place: Place) -> None:
        """Delete the server and what it keeps of its sessions; raises ConfigError if something is under way."""
        self._begin(place)
        self.reported.emit(Report(tr("Removing the local server")))
        self._clear(place, self._end, with_state=True)

    def cancel(self) -> None:
        """Stop what is under way; ends in `failed` with Cancelled."""
        self.is_cancelled = True
        if self._process is not None and not self._step.has_children:
            self._process.kill()

    def close(self) -> None:
        """Stop at once, when the plugin is unloaded, and wait until nothing half-made is left."""
        process, self._process = self._process, None
        if process is not None:
            process.disconnect()
            if not self._step.has_children:
                process.kill()
            process.waitForFinished(END_MS)
            self._recipe.place.clear()
        if self._clearing is not None:
            self._clearing.cleared.disconnect()
            self._clearing.waitForFinished(END_MS)
        self._release()

    # ---- one step after the other ----------------------------------------------------------------------------------

    def _begin(self, place: Place) -> None:
        """Let no other QGIS interfere."""
        place.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = QLockFile(str(place.folder.parent / "setup.lock"))
        lock.setStaleLockTime(0)  # it is held for as long as its process lives
        if self.is_busy or not lock.tryLock(0):
            raise ConfigError(
                tr("A local server is being set up or removed already."), tr("Wait for it, perhaps in another window.")
            )
        self._lock, self.is_cancelled = lock, False

    def _clear(self, place: Place, then: Callable[[], None], with_state: bool = False) -> None:
        self._clearing = Clearing(place, with_state)
        self._clearing.cleared.connect(lambda error: self._cleared(error, then))
        QgsApplication.taskManager().addTask(self._clearing)

    def _cleared(self, error: Optional[TerrafineError], then: Callable[[], None]) -> None:
        self._clearing = None
        if error is not None:
            self._fail(error)
        else:
            then()

    def _first(self) -> None:
        self._recipe.place.scratch.mkdir(parents=True)
        self._next()

    def _next(self) -> None:
        if self.is_cancelled:
            self._give_up(Cancelled(tr("The set-up was cancelled.")))
            return
        if not self._steps:
            self._recipe.place.finish(self._recipe.build.value)
            self._end()
            return
        self._step = self._steps.popleft()
        self.reported.emit(self._output.report(self._step.words))
        self._run(self._step.command())

    def _run(self, command: list[str]) -> None:
        process = QProcess(self)
        process.setProcessEnvironment(self._recipe.environment())
        process.setWorkingDirectory(str(self._recipe.place.scratch))
        process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        process.readyRead.connect(self._read)
        process.errorOccurred.connect(self._not_started)
        process.finished.connect(self._finished)
        self._process = process
        process.start(command[0], command[1:])

    def _read(self) -> None:
        while self._process is not None and self._process.canReadLine():
            line = bytes(self._process.readLine()).decode(errors="replace").rstrip()
            report = self._output.read(line)
            if report is not None:
                self.reported.emit(report)
            if line and not line.startswith("Progress "):
                self._last = line
                QgsMessageLog.logMessage(line, LOG, notifyUser=False)

    def _not_started(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._last = self._process.errorString()
            self._finished(-1)

    def _finished(self, code: int) -> None:
        self._read()
        self._process.deleteLater()
        self._process = None
        if code == 0 or self.is_cancelled:
            self._next()
        else:
            self._give_up((self._step.refusal or self._output.error)(self._last))

    # ---- the end ---------------------------------------------------------------------------------------------------

    def _give_up(self, error: TerrafineError) -> None:
        self.reported.emit(Report(tr("Tidying up")))
        self._clear(self._recipe.place, lambda: self._fail(error))

    def _fail(self, error: TerrafineError) -> None:
        self._release()
        self.failed.emit(error)

    def _end(self) -> None:
        self._release()
        self.finished.emit()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.unlock()
            self._lock = None
