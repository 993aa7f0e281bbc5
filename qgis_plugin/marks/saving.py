"""A long change of the marks' file, as QGIS's task manager shows it."""

from __future__ import annotations

from qgis.PyQt.QtCore import QObject, pyqtSignal

from terrafine.qgis_plugin.marks.writer import MarksWriter
from terrafine.qgis_plugin.tasks import TaskMirror
from terrafine.shared.messages import Progress


class Saving(QObject):
    """Shows how far a writer is until it has nothing to write, or cannot.

    cancelled  the user wants none of it
    """

    cancelled = pyqtSignal()

    def __init__(self, description: str, writer: MarksWriter) -> None:
        super().__init__()
        self._description, self._writer, self._total = description, writer, writer.left
        self._task = TaskMirror(self._cancel)
        self._is_over = False
        writer.advanced.connect(self._show)
        self._show()

    def close(self) -> None:
        """Show nothing more; the writer goes on."""
        if not self._is_over:
            self._is_over = True
            self._writer.advanced.disconnect(self._show)
            self._task.show("", None)

    def _show(self) -> None:
        done = max(0, self._total - self._writer.left)
        self._task.show(self._description, Progress(done, self._total))
        if not self._writer.is_writing:
            self.close()

    def _cancel(self) -> None:
        self.close()
        self.cancelled.emit()
