"""What the user does about the server: start, set up, connect, choose. Signals of the server panel become events."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import QObject, Qt, QTimer
from qgis.PyQt.QtWidgets import QFileDialog

from terrafine.qgis_plugin.controller import Controller
from terrafine.qgis_plugin.effects import Tell, told
from terrafine.qgis_plugin.link.process import find_command
from terrafine.qgis_plugin.link.servers import Server, load_servers
from terrafine.qgis_plugin.link.servers_dialog import ServersDialog
from terrafine.qgis_plugin.setup.dialog import SetupDialog
from terrafine.qgis_plugin.setup.installer import Installer
from terrafine.qgis_plugin.setup.pip_output import Report
from terrafine.qgis_plugin.setup.place import default_place
from terrafine.qgis_plugin.tasks import TaskMirror
from terrafine.qgis_plugin.workbench import Workbench
from terrafine.shared.errors import Cancelled, TerrafineError
from terrafine.shared.messages import Progress

RETRY_MS = 10_000  # between two looks at a server elsewhere that has gone


class ServerDesk(QObject):
    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench, self._panel = bench, bench.dock.server
        self.installer = Installer(self)
        self.setup: Optional[SetupDialog] = None
        self.servers: Optional[ServersDialog] = None
        self._task = TaskMirror(self.installer.cancel)
        self._connect_panel()
        self._connect_installer()
        self._look_for_server()
        self._list_servers()
        self._patience = QTimer(self)
        self._patience.timeout.connect(self._retry)
        self._patience.start(RETRY_MS)

    def close(self) -> None:
        self._patience.stop()
        self._task.show("", None)
        self.installer.close()
        for dialog in (self.setup, self.servers):
            if dialog is not None:
                dialog.deleteLater()

    def _connect_panel(self) -> None:
        panel, handle = self._panel, self._bench.handle
        panel.start_asked.connect(self._start)
        panel.setup_asked.connect(self._show_setup)
        panel.connect_asked.connect(self._connect_to)
        panel.reconnect_asked.connect(lambda: self._connect_to(self._bench.controller.server))
        panel.servers_asked.connect(self._show_servers)
        panel.disconnect_asked.connect(lambda: handle(Controller.disconnect))
        panel.python_asked.connect(self._choose_python)
        panel.models_asked.connect(self._choose_models)

    def _connect_installer(self) -> None:
        self.installer.reported.connect(self._show_report)
        self.installer.finished.connect(self._show_end)
        self.installer.failed.connect(self._show_failure)

    # ---- a local server --------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Start a local server; set one up where there is none."""
        if find_command(self._bench.settings.server_python) is None:
            self._show_setup()
        else:
            self._bench.handle(Controller.start_server)

    def _show_setup(self) -> None:
        if self.setup is None:
            self.setup = SetupDialog(self.installer, default_place(), self._bench.iface.mainWindow())
            self.setup.replacing.connect(self._stop_local)
        self.setup.show()
        self.setup.raise_()

    def _stop_local(self) -> None:
        if self._bench.controller.local:
            self._bench.handle(Controller.disconnect)

    def _show_report(self, report: Report) -> None:
        """Show the set-up in QGIS's task manager too, where it can be cancelled."""
        if not self.installer.is_cancelled:
            progress = Progress(report.fetched_kb, report.total_kb, report.words)
            self._task.show(self.tr("Setting up the local server"), progress)

    def _show_end(self) -> None:
        """The server has come, and is started; or has gone."""
        self._task.show("", None)
        self._look_for_server()
        if default_place().is_ready:
            self._bench.settings.server_python = ""
            self._bench.handle(Controller.start_server)

    def _show_failure(self, error: TerrafineError) -> None:
        self._task.show("", None)
        self._look_for_server()
        if not isinstance(error, Cancelled):
            self._bench.tell(told(error))

    def _look_for_server(self) -> None:
        self._panel.show_local(find_command(self._bench.settings.server_python) is not None)

    def _choose_python(self) -> None:
        title = self.tr("Python of the environment that has the Terrafine server, or its 'terrafine' command")
        path, _ = QFileDialog.getOpenFileName(self._bench.dock, title)
        if path:
            self._bench.settings.server_python = path
            self._bench.settings.save()
            self._look_for_server()

    def _choose_models(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._bench.dock, self.tr("Folder of models"))
        if folder:
            self._bench.settings.models_folder = folder
            self._bench.settings.save()
            self._bench.tell(Tell(self.tr("The models appear when the local server is started anew."), warning=False))

    # ---- servers elsewhere -----------------------------------------------------------------------------------------

    def _connect_to(self, server: Server) -> None:
        self._bench.settings.address = server.address
        self._bench.handle(lambda controller: controller.connect(server))

    def _retry(self) -> None:
        if self._bench.controller.will_retry:
            self._bench.handle(Controller.retry)

    def _show_servers(self) -> None:
        dialog = self.servers = ServersDialog(self._bench.settings.address, self._bench.iface.mainWindow())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.changed.connect(self._list_servers)
        dialog.connect_asked.connect(self._connect_to)
        dialog.destroyed.connect(self._servers_closed)
        dialog.show()

    def _servers_closed(self) -> None:
        self.servers = None

    def _list_servers(self) -> None:
        self._panel.show_servers(load_servers())
