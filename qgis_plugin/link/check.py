"""Is the server there, is it ours, does it let us in, do we speak the same language, has it models?"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Optional
from urllib.parse import urlsplit

from qgis.core import QgsTask
from qgis.PyQt.QtCore import pyqtSignal

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.link.servers import Server
from terrafine.qgis_plugin.words import in_users_words, translated
from terrafine.shared.errors import (
    ConfigError,
    ConnectionFailed,
    NotAllowed,
    TerrafineError,
    UnsupportedVersion,
    UnusableModel,
)

if TYPE_CHECKING:
    from terrafine.shared.transport import ClientKeys

PATIENCE_S = 5.0


def diagnose(server: Server, keys: Optional[ClientKeys]) -> str:
    """Say how well the server answers; raises the TerrafineError that says what is wrong. Waits: not for the GUI."""
    from terrafine.shared.client import Client
    from terrafine.shared.transport import ZmqTransport

    _knock(server.address)
    started = time.monotonic()
    try:
        client = Client(ZmqTransport(server.address, keys), "terrafine-qgis test", PATIENCE_S, PATIENCE_S)
    except NotAllowed:
        raise
    except ConnectionFailed as error:
        raise _strange(server) from error
    try:
        welcome, models = client.hello(), client.models()
    except UnsupportedVersion as error:
        raise translated(error) from error
    finally:
        client.close()
    if not models:
        raise UnusableModel(tr("The server works, but has no models."), tr("Start it with --models FOLDER."))
    words = tr("It works: {device}, answer in {ms:.0f} ms. Models: {count}.")
    return words.format(device=welcome.device.upper(), count=len(models), ms=1000 * (time.monotonic() - started))


def _knock(address: str) -> None:
    """Does anything listen there? Raises ConfigError for what is no address, ConnectionFailed if nothing does."""
    host, port = _parts(address)
    where = f"{host}:{port}"
    try:
        socket.create_connection((host, port), PATIENCE_S).close()
    except socket.gaierror as error:
        raise ConnectionFailed(
            tr("There is no computer called '{host}'.").format(host=host), tr("Check the address's spelling.")
        ) from error
    except ConnectionRefusedError as error:
        raise ConnectionFailed(
            tr("The computer refuses: nothing listens at {where}.").format(where=where),
            tr("Start the server there, and check the port."),
        ) from error
    except OSError as error:  # silence, or no way there
        raise ConnectionFailed(
            tr("There is only silence at {where}.").format(where=where),
            tr("Check that the computer is on, and that no firewall is in between."),
        ) from error


def _parts(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is no number
        host = port = None
    if parts.scheme != "tcp" or not host or not port:
        raise ConfigError(tr("'{address}' is no address.").format(address=address), "tcp://host:5590")
    return host, port


def _strange(server: Server) -> ConnectionFailed:
    """Something listens, but does not shake hands."""
    if server.key:
        return ConnectionFailed(
            tr("Something listens there, but it does not have the server's public key that you gave."),
            tr("Ask the administrator for the server's key: its file server.pub."),
        )
    return ConnectionFailed(
        tr("Something listens there, but it is no Terrafine server, or one that asks for keys."),
        tr("Enter the server's key if it has one, and check the port."),
    )


class ServerCheck(QgsTask):
    """Diagnoses in the background."""

    ended = pyqtSignal(str, bool)  # words, and whether all is well

    def __init__(self, server: Server, keys: Optional[ClientKeys]) -> None:
        super().__init__(tr("Testing the server '{name}'").format(name=server.title))
        self._server, self._keys = server, keys
        self._words = ""

    def run(self) -> bool:
        try:
            self._words = diagnose(self._server, self._keys)
        except TerrafineError as error:
            self._words = str(in_users_words(error))
            return False
        return True

    def finished(self, result: bool) -> None:
        self.ended.emit(self._words, result)
