"""The window of saved servers: a list, and the address and keys of the one that is picked."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from terrafine.qgis_plugin.link.check import ServerCheck
from terrafine.qgis_plugin.link.servers import Server, client_keys, forget_key, load_servers, save_servers, with_new_key
from terrafine.qgis_plugin.widgets import note, row
from terrafine.shared.errors import TerrafineError

SIZE = (760, 340)
NOBODY = Server("")


class ServersDialog(QDialog):
    """Saves every change at once. Emits `changed` then, and `connect_asked` with a Server."""

    changed = pyqtSignal()
    connect_asked = pyqtSignal(object)

    def __init__(self, address: str, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Saved servers"))
        self.resize(*SIZE)
        self._address = address  # of a new server, until it is changed
        self._servers = list(load_servers())
        self._test: Optional[ServerCheck] = None
        self._make_fields()
        self._make_buttons()
        self._lay_out()
        self.list.currentRowChanged.connect(self._show_picked)
        self._show_list(0)

    @property
    def picked(self) -> Server:
        """The one whose fields are shown; one without an address while there is none."""
        return self._servers[self.list.currentRow()] if self._is_one_picked else NOBODY

    @property
    def _is_one_picked(self) -> bool:
        return 0 <= self.list.currentRow() < len(self._servers)

    # ---- doing -----------------------------------------------------------------------------------------------------

    def _add(self) -> None:
        self._servers.append(Server(self._address, self.tr("Server {number}").format(number=len(self._servers) + 1)))
        self._saved()
        self._show_list(len(self._servers) - 1)
        self.name.setFocus()
        self.name.selectAll()

    def _remove(self) -> None:
        try:
            forget_key(self.picked)
        except TerrafineError as error:  # the server goes all the same; its key stays where nobody can read it
            self.result.setText(str(error))
        del self._servers[self.list.currentRow()]
        self._saved()
        self._show_list(len(self._servers) - 1)

    def _edit(self) -> None:
        name, address, key = (field.text().strip() for field in (self.name, self.address, self.key))
        self._change(replace(self.picked, name=name or address, address=address, key=key))

    def _make_key(self) -> None:
        try:
            self._change(with_new_key(self.picked))
            self.result.setText(self.tr("Send your key to the server's administrator: only then does it let you in."))
        except TerrafineError as error:
            self.result.setText(str(error))

    def _try(self) -> None:
        """Test the picked server in the background."""
        try:
            self._test = ServerCheck(self.picked, client_keys(self.picked))
        except TerrafineError as error:
            self.result.setText(str(error))
            return
        self.result.setText(self.tr("Asking the server…"))
        self.test.setEnabled(False)
        self._test.ended.connect(self._show_result)
        QgsApplication.taskManager().addTask(self._test)

    def _connect(self) -> None:
        self.connect_asked.emit(self.picked)
        self.close()

    def _change(self, server: Server) -> None:
        if server != self.picked:
            self._servers[self.list.currentRow()] = server
            self.list.currentItem().setText(server.title)
            self._saved()
            self._show_picked()

    def _saved(self) -> None:
        save_servers(self._servers)
        self.changed.emit()

    # ---- showing ---------------------------------------------------------------------------------------------------

    def _show_list(self, number: int) -> None:
        self.list.clear()
        self.list.addItems([server.title for server in self._servers])
        self.list.setCurrentRow(number)
        self._show_picked()

    def _show_picked(self) -> None:
        shown = self.picked
        for part in (self.form, self.remove, self.test, self.connect_button):
            part.setEnabled(self._is_one_picked)
        self.name.setText(shown.name)
        self.address.setText(shown.address)
        self.key.setText(shown.key)
        self.client_key.setText(shown.client_key)
        self.copy.setEnabled(bool(shown.client_key))
        self.result.setText("" if self._servers else self._invitation())

    def _invitation(self) -> str:
        return self.tr(
            "No server is saved yet. Press Add, then enter the server's address and, if it has one, its key."
        )

    def _show_result(self, words: str, is_well: bool) -> None:
        self._test = None
        self.test.setEnabled(self._is_one_picked)
        self.result.setText(("✓ " if is_well else "✗ ") + words)

    # ---- layout ----------------------------------------------------------------------------------------------------

    def _make_fields(self) -> None:
        self.list, self.result = QListWidget(), note()
        self.name, self.address, self.key, self.client_key = QLineEdit(), QLineEdit(), QLineEdit(), QLineEdit()
        self.name.setToolTip(self.tr("What you call this server"))
        self.address.setToolTip(self.tr("tcp://host:port"))
        self.address.setPlaceholderText("tcp://host:5590")
        self.key.setToolTip(
            self.tr(
                "The server's public key, from its file server.pub: 40 characters; none for a server that has no keys"
            )
        )
        self.client_key.setToolTip(
            self.tr(
                "Your public key for this server. The secret one beside it is kept by QGIS's authentication manager."
            )
        )
        self.client_key.setReadOnly(True)
        for field in (self.name, self.address, self.key):
            field.editingFinished.connect(self._edit)

    def _make_buttons(self) -> None:
        self.copy, self.make_key = QPushButton(self.tr("Copy")), QPushButton(self.tr("Make a key"))
        self.copy.setToolTip(self.tr("Copy your public key, for the server's administrator"))
        self.make_key.setToolTip(
            self.tr("New keys for you in place of the old ones; QGIS may ask for its master password")
        )
        self.add, self.remove = QPushButton(self.tr("Add")), QPushButton(self.tr("Remove"))
        self.add.setToolTip(self.tr("Save one more server"))
        self.remove.setToolTip(self.tr("Forget this server and your key to it"))
        self.test, self.connect_button = QPushButton(self.tr("Test")), QPushButton(self.tr("Connect"))
        self.test.setToolTip(self.tr("See whether the server answers, and if not, why"))
        self.connect_button.setToolTip(self.tr("Work with this server"))
        pairs = (
            (self.copy, lambda: QApplication.clipboard().setText(self.client_key.text())),
            (self.make_key, self._make_key),
            (self.add, self._add),
            (self.remove, self._remove),
            (self.test, self._try),
            (self.connect_button, self._connect),
        )
        for button, action in pairs:
            button.setAutoDefault(False)
            button.clicked.connect(action)

    def _lay_out(self) -> None:
        self.form, own_key = QWidget(), QWidget()
        keys = QHBoxLayout(own_key)
        keys.setContentsMargins(0, 0, 0, 0)
        for part in (self.client_key, self.copy, self.make_key):
            keys.addWidget(part)
        fields = QFormLayout(self.form)
        fields.addRow(self.tr("Name"), self.name)
        fields.addRow(self.tr("Address"), self.address)
        fields.addRow(self.tr("Server's key"), self.key)
        fields.addRow(self.tr("Your key"), own_key)
        left, right, columns = QVBoxLayout(), QVBoxLayout(), QHBoxLayout()
        left.addWidget(self.list, 1)
        left.addLayout(row(self.add, self.remove))
        right.addWidget(self.form)
        right.addLayout(row(self.test, self.connect_button))
        right.addWidget(self.result)
        right.addStretch(1)
        columns.addLayout(left, 1)
        columns.addLayout(right, 2)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.close)
        whole = QVBoxLayout(self)
        whole.addLayout(columns)
        whole.addWidget(close)
