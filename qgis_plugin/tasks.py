"""The server's work as QGIS's task manager shows it: with progress, and with a button that cancels it."""

from __future__ import annotations

import threading
from typing import Callable, Optional

from qgis.core import Qgis, QgsApplication, QgsTask
from qgis.PyQt.QtCore import pyqtSignal

from terrafine.shared.messages import Progress

FLAGS = QgsTask.Flag.CanCancel
if Qgis.versionInt() >= 32600:  # no message in the message bar for each that has ended
    FLAGS = FLAGS | QgsTask.Flag.Silent


class ProgressTask(QgsTask):
    """Shows work of the connection's thread in QGIS's task manager, where it can be cancelled too."""

    cancel_requested = pyqtSignal()

    def __init__(self, description: str) -> None:
        super().__init__(description, FLAGS)
        self._ended = threading.Event()

    def run(self) -> bool:
        self._ended.wait()
        return not self.isCanceled()

    def cancel(self) -> None:
        """The user's wish, or QGIS closing."""
        self.cancel_requested.emit()
        self._ended.set()
        super().cancel()

    def end(self) -> None:
        """The work is over."""
        self._ended.set()


class TaskMirror:
    """Keeps one ProgressTask in QGIS's task manager for as long as there is work that can be cancelled."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self._task: Optional[ProgressTask] = None

    def show(self, description: str, progress: Optional[Progress]) -> None:
        """Show work under way; an empty description ends it."""
        if not description:
            self._end()
            return
        if self._task is None:
            self._task = ProgressTask(description)
            self._task.cancel_requested.connect(self._cancelled)
            QgsApplication.taskManager().addTask(self._task)
        if progress is not None and progress.total:
            self._task.setProgress(100.0 * progress.done / progress.total)

    def _cancelled(self) -> None:
        """The task manager deletes the task soon: touch it no more."""
        self._task = None
        self._cancel()

    def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.end()
