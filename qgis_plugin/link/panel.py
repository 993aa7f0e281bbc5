"""The dock's top: the server's state in a light and in words, and what can be done about it."""

from __future__ import annotations

from typing import Sequence

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QMenu, QPushButton, QToolButton, QVBoxLayout, QWidget

from terrafine.qgis_plugin.link.servers import Server
from terrafine.qgis_plugin.state import Link, View
from terrafine.qgis_plugin.widgets import ElidedLabel, light, note, row, tool_button

COLORS = {
    Link.OFFLINE: "#9aa5b1",
    Link.STARTING: "#e0a030",
    Link.CONNECTING: "#e0a030",
    Link.ONLINE: "#2e9e5b",
    Link.LOST: "#d1495b",
}


class ServerPanel(QWidget):
    start_asked = pyqtSignal()
    setup_asked = pyqtSignal()
    connect_asked = pyqtSignal(object)  # a Server
    reconnect_asked = pyqtSignal()
    servers_asked = pyqtSignal()
    welcome_asked = pyqtSignal()
    disconnect_asked = pyqtSignal()
    python_asked = pyqtSignal()
    models_asked = pyqtSignal()

    def __init__(self, address: str) -> None:
        super().__init__()
        self.light, self.state, self.hint = QLabel(), ElidedLabel(), note()
        self._has_local = True
        self.start = QPushButton()
        self.start.setToolTip(self.tr("A server on this computer; it ends with QGIS"))
        self.reconnect = QPushButton(self.tr("Reconnect"))
        self.reconnect.setToolTip(self.tr("Try the same server again at once"))
        self.address = QLineEdit(address)
        self.address.setToolTip(self.tr("Address of a server on this or another computer: tcp://host:port"))
        self.connect_button = QPushButton(self.tr("Connect"))
        self.connect_button.setToolTip(self.tr("Use the server at this address"))
        self.elsewhere = QPushButton(self.tr("Connect"))
        self.elsewhere.setToolTip(self.tr("Use a server that runs already, here or on another computer"))
        self.elsewhere.setMenu(QMenu(self))
        self.menu_button = self._menu_button()
        self._lay_out()
        self.start.clicked.connect(self.start_asked)
        self.reconnect.clicked.connect(self.reconnect_asked)
        self.connect_button.clicked.connect(self._ask_to_connect)
        self.address.returnPressed.connect(self._ask_to_connect)

    def show_view(self, view: View) -> None:
        """Show the link; nothing that cannot be done now is offered."""
        self.light.setPixmap(light(COLORS[view.link]))
        self.state.setText(self._words(view))
        down = view.link in (Link.OFFLINE, Link.LOST)
        self.hint.setText(self._hint(view))
        self.hint.setVisible(view.link is not Link.ONLINE)
        self.start.setText(self._start_words(view))
        self.start.setVisible(down)
        self.reconnect.setVisible(view.link is Link.LOST and not view.local)
        self.elsewhere.setVisible(down)
        if not down:
            self.address_row.hide()
        self.stop_action.setEnabled(not down)
        self.stop_action.setText(self.tr("Stop the local server") if view.local else self.tr("Disconnect"))

    def show_local(self, is_there: bool) -> None:
        """Is there a local server to start? If not, the button sets one up."""
        self._has_local = is_there
        self.start.setText(self.tr("Start local server") if is_there else self.tr("Set up a local server…"))

    def _start_words(self, view: View) -> str:
        if not self._has_local:
            return self.tr("Set up a local server…")
        return self.tr("Restart local server") if self._was_local(view) else self.tr("Start local server")

    def _was_local(self, view: View) -> bool:
        return view.link is Link.LOST and view.local

    def _words(self, view: View) -> str:
        where = self.tr("Local server") if view.local else view.server
        words = {
            Link.OFFLINE: self.tr("No server"),
            Link.STARTING: self.tr("Starting the local server…"),
            Link.CONNECTING: self.tr("Connecting…"),
            Link.ONLINE: f"{where} · {view.device.upper()}",
            Link.LOST: self.tr("The server has gone; trying again")
            if view.will_retry
            else self.tr("The server has gone"),
        }
        return words[view.link]

    def _hint(self, view: View) -> str:
        hints = {
            Link.OFFLINE: self.tr("The server runs the model, on this computer or on one with a GPU."),
            Link.STARTING: self.tr("This takes a few seconds."),
            Link.LOST: self.tr("Everything you drew is kept. You can go on drawing; the map follows when it is back."),
        }
        return hints.get(view.link, "")

    def show_servers(self, servers: Sequence[Server]) -> None:
        """Offer the saved servers, and the way to any other."""
        menu = self.elsewhere.menu()
        menu.clear()
        for server in servers:
            action = menu.addAction(server.title)
            action.setToolTip(server.address)
            action.triggered.connect(lambda _, server=server: self.connect_asked.emit(server))
        menu.addSeparator()
        menu.addAction(self.tr("An address…")).triggered.connect(self.show_address)
        menu.addAction(self.tr("Saved servers…")).triggered.connect(self.servers_asked)

    def show_address(self) -> None:
        """Ask for the address of a server that needs no keys."""
        self.address_row.show()
        self.address.setFocus()
        self.address.selectAll()

    def _ask_to_connect(self) -> None:
        self.connect_asked.emit(Server(self.address.text().strip()))

    def _menu_button(self) -> QToolButton:
        button, menu = tool_button("more", self.tr("Server options")), QMenu(self)
        self.stop_action = menu.addAction(self.tr("Disconnect"))
        self.stop_action.triggered.connect(self.disconnect_asked)
        menu.addSeparator()
        menu.addAction(self.tr("Saved servers…")).triggered.connect(self.servers_asked)
        menu.addAction(self.tr("Set up or remove the local server…")).triggered.connect(self.setup_asked)
        menu.addAction(self.tr("Choose the local server's Python…")).triggered.connect(self.python_asked)
        menu.addAction(self.tr("Choose a folder of further models…")).triggered.connect(self.models_asked)
        menu.addSeparator()
        menu.addAction(self.tr("Welcome and sample")).triggered.connect(self.welcome_asked)
        button.setMenu(menu)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        return button

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.light)
        top.addWidget(self.state, 1)
        top.addWidget(self.menu_button)
        self.address_row = QWidget()
        line = QHBoxLayout(self.address_row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.address, 1)
        line.addWidget(self.connect_button)
        self.address_row.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(top)
        column.addWidget(self.hint)
        column.addWidget(self.reconnect)
        column.addLayout(row(self.start, self.elsewhere))
        column.addWidget(self.address_row)
