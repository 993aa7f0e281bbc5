"""The window that sets up, shows and removes the local server. It stays out of the way of QGIS, and may be closed
while the work goes on."""

from __future__ import annotations

from typing import Callable, Optional

from qgis.core import QgsApplication
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import QStandardPaths, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QProgressBar,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from terrafine.qgis_plugin.setup.installer import Installer
from terrafine.qgis_plugin.setup.pip_output import Report
from terrafine.qgis_plugin.setup.place import Place, version
from terrafine.qgis_plugin.setup.pythons import Python, PythonSearch
from terrafine.qgis_plugin.setup.recipe import SIZES, Build, Recipe, builds, gigabytes, wheel_beside_plugin
from terrafine.qgis_plugin.widgets import heading, note
from terrafine.shared.errors import Cancelled, TerrafineError

WIDTH = 520


class SetupDialog(QDialog):
    """Emits `replacing` before the server that is there goes: it must not be running then."""

    replacing = pyqtSignal()

    def __init__(self, installer: Installer, place: Place, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Local server"))
        self.setMinimumWidth(WIDTH)
        self._installer, self._place = installer, place
        self._python: Optional[Python] = None
        self._search: Optional[PythonSearch] = None
        self._make_choices()
        self._make_buttons()
        self._lay_out()
        installer.reported.connect(self._show_report)
        installer.finished.connect(self._show_state)
        installer.failed.connect(self._show_failure)
        self._look_for_python("")

    # ---- doing -----------------------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        build = next(build for build, button in self.builds.items() if button.isChecked())
        self._attempt(
            lambda: self._installer.start(Recipe(self._python.path, self.wheel.filePath(), build, self._place))
        )

    def _remove(self) -> None:
        self._attempt(lambda: self._installer.remove(self._place))

    def _attempt(self, what: Callable[[], None]) -> None:
        self.replacing.emit()
        try:
            what()
        except TerrafineError as error:
            self.state.setText(str(error))
        else:
            self._show_state()

    def _cancel(self) -> None:
        self.cancel.setEnabled(False)
        self._installer.cancel()

    def _look_for_python(self, chosen: str) -> None:
        self._python = None
        self.python_note.setText(self.tr("Looking for a Python…"))
        self._search = PythonSearch(chosen)
        self._search.ended.connect(self._show_python)
        QgsApplication.taskManager().addTask(self._search)
        self._show_state()

    # ---- showing ---------------------------------------------------------------------------------------------------

    def _show_python(self, result: object) -> None:
        self._search = None
        self._python = result if isinstance(result, Python) else None
        self.python_note.setText(str(result))
        if self._python is not None and self.python.filePath() != self._python.path:
            self.python.blockSignals(True)
            self.python.setFilePath(self._python.path)
            self.python.blockSignals(False)
        self._show_state()

    def _show_report(self, report: Report) -> None:
        self.state.setText(report.words)
        self.progress.setRange(0, report.total_kb)  # 0 to 0 is "busy"
        self.progress.setValue(report.fetched_kb)

    def _show_failure(self, error: TerrafineError) -> None:
        self._show_state()
        self.state.setText(error.message if isinstance(error, Cancelled) else str(error))

    def _show_state(self) -> None:
        """Nothing that cannot be done now is offered."""
        busy, ready = self._installer.is_busy, self._place.is_ready
        self.choices.setEnabled(not busy)
        self.install.setText(self.tr("Set up anew") if ready else self.tr("Set up"))
        self.install.setEnabled(not busy and self._python is not None)
        self.remove.setEnabled(ready and not busy)
        self.cancel.setEnabled(busy)
        self.progress.setVisible(busy)
        if not busy:
            self.state.setText(self._words_at_rest(ready))

    def _words_at_rest(self, ready: bool) -> str:
        free = self.tr("{free} are free there.").format(free=gigabytes(self._place.free_bytes()))
        if not ready:
            return self.tr("It goes into {folder}.").format(folder=self._place.folder) + " " + free
        words = self.tr("The local server is in {folder}, with PyTorch for the {build}.")
        return words.format(folder=self._place.folder, build=self._place.build().upper())

    # ---- layout ----------------------------------------------------------------------------------------------------

    def _make_choices(self) -> None:
        self.builds = {build: QRadioButton(self._build_words(build)) for build in builds()}
        self.builds[Build.CPU].setChecked(True)
        for button in self.builds.values():
            button.setToolTip(self.tr("Without a GPU a correction takes a second or two, and a large area minutes"))
        self.wheel, self.python = QgsFileWidget(), QgsFileWidget()
        self.wheel.setFilter(self.tr("Wheel of the Terrafine server") + " (terrafine-*.whl)")
        self.wheel.setDefaultRoot(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DownloadLocation))
        self.wheel.lineEdit().setPlaceholderText(f"terrafine-{version()}-….whl")
        self.wheel.setFilePath(wheel_beside_plugin())
        self.wheel.setToolTip(self.tr("The file terrafine-….whl that is handed out with the plugin's zip"))
        self.python.setToolTip(self.tr("A Python from 3.9 on, which is only used to make the server's environment"))
        self.python.fileChanged.connect(self._look_for_python)
        self.python_note = note()

    def _build_words(self, build: Build) -> str:
        words = {
            Build.CPU: self.tr("for any computer: fetches {fetched}, takes {on_disk} of disk"),
            Build.CUDA: self.tr("for an NVIDIA GPU (CUDA): fetches {fetched}, takes {on_disk} of disk"),
        }
        size = SIZES[build]
        return words[build].format(fetched=gigabytes(size.fetched), on_disk=gigabytes(size.on_disk))

    def _make_buttons(self) -> None:
        self.buttons = QDialogButtonBox()
        self.install = self.buttons.addButton(self.tr("Set up"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.cancel = self.buttons.addButton(self.tr("Cancel"), QDialogButtonBox.ButtonRole.ResetRole)
        self.remove = self.buttons.addButton(self.tr("Remove"), QDialogButtonBox.ButtonRole.DestructiveRole)
        self.buttons.addButton(QDialogButtonBox.StandardButton.Close).clicked.connect(self.close)
        self.install.clicked.connect(self._set_up)
        self.cancel.clicked.connect(self._cancel)
        self.remove.clicked.connect(self._remove)
        self.install.setToolTip(self.tr("Make the environment and install the server; QGIS stays usable meanwhile"))
        self.cancel.setToolTip(self.tr("Stop, and delete what has been fetched"))
        self.remove.setToolTip(self.tr("Delete the local server and what it keeps; marks, maps and saved models stay"))

    def _lay_out(self) -> None:
        self.choices, about = QWidget(), note()
        about.setText(
            self.tr(
                "The server runs the network. It gets a folder of its own with its own Python packages, PyTorch among "
                "them; nothing is installed into QGIS. You can go on working meanwhile."
            )
        )
        self.state, self.progress = QLabel(), QProgressBar()
        self.state.setWordWrap(True)
        self.progress.setTextVisible(False)
        form = QFormLayout(self.choices)
        form.setContentsMargins(0, 0, 0, 0)
        for i, button in enumerate(self.builds.values()):
            form.addRow(self.tr("PyTorch") if i == 0 else "", button)
        form.addRow(self.tr("Server file (.whl)"), self.wheel)
        form.addRow(self.tr("Python"), self.python)
        form.addRow("", self.python_note)
        column = QVBoxLayout(self)
        for part in (heading(self.tr("A server on this computer")), about, self.choices, self.state, self.progress):
            column.addWidget(part)
        column.addStretch(1)
        column.addWidget(self.buttons)
