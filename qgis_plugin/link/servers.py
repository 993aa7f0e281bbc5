"""Servers that the user has given a name, and the keys to them.

A server's address and public key are ordinary settings. The user's own secret key is kept by QGIS's authentication
manager, under the master password, which QGIS asks for when the key is needed: on connecting, never at start-up.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Iterable, Optional

from qgis.core import QgsApplication, QgsAuthMethodConfig, QgsSettings

from terrafine.qgis_plugin.language import tr
from terrafine.shared.errors import ConfigError

if TYPE_CHECKING:  # pyzmq may be missing: the plugin loads all the same
    from terrafine.shared.transport import ClientKeys

SETTING = "terrafine/servers"
METHOD = "Basic"  # of the authentication manager: it has a user name, the public key, and a password, the secret one


@dataclass(frozen=True)
class Server:
    """Where a server is and how to get in.

    address     "tcp://host:port"
    name        that the user has given it; "" for one that is not saved
    key         the server's public key, 40 characters; "" for one that does not encrypt
    client_key  the user's own public key, which the server's administrator allows
    authcfg     where the authentication manager has the secret key beside it
    """

    address: str
    name: str = ""
    key: str = ""
    client_key: str = ""
    authcfg: str = ""

    @property
    def title(self) -> str:
        return self.name or self.address.replace("tcp://", "")


def load_servers() -> tuple[Server, ...]:
    """The saved servers; what cannot be read counts as none."""
    try:
        stored = json.loads(QgsSettings().value(SETTING, "[]", type=str))
        return tuple(Server(**{item.name: str(entry[item.name]) for item in fields(Server)}) for entry in stored)
    except (ValueError, TypeError, KeyError):
        return ()


def save_servers(servers: Iterable[Server]) -> None:
    QgsSettings().setValue(SETTING, json.dumps([asdict(server) for server in servers]))


def client_keys(server: Server) -> Optional[ClientKeys]:
    """The keys to a server, None for one without; may ask for the master password.

    Raises ConfigError where there is no secret key, or where it cannot be had.
    """
    from terrafine.shared.transport import ClientKeys

    if not server.key:
        return None
    if not server.authcfg:
        raise ConfigError(
            tr("There is no key of yours for '{name}'.").format(name=server.title), tr("Make one under Saved servers.")
        )
    _, config = _manager().loadAuthenticationConfig(server.authcfg, QgsAuthMethodConfig(), True)
    if not config.config("password"):
        raise ConfigError(
            tr("QGIS's authentication manager does not give your key for '{name}' away.").format(name=server.title),
            tr("Enter the right master password, or make a new key under Saved servers."),
        )
    return ClientKeys(server.key, config.config("password"))


def with_new_key(server: Server) -> Server:
    """The server with new keys for the user, in place of the old ones; may ask for the master password.

    Raises ConfigError where they cannot be kept, ConnectionFailed where ZeroMQ was built without encryption.
    """
    from terrafine.shared.transport import new_secret_key, public_key

    secret = new_secret_key()
    config = QgsAuthMethodConfig(METHOD)
    config.setName(f"Terrafine: {server.title}")
    config.setConfig("username", public_key(secret))
    config.setConfig("password", secret)
    kept, config = _manager().storeAuthenticationConfig(config)
    if not kept:
        raise ConfigError(
            tr("QGIS's authentication manager does not keep the key."), tr("Enter its master password, then try again.")
        )
    forget_key(server)
    return replace(server, client_key=public_key(secret), authcfg=config.id())


def forget_key(server: Server) -> None:
    """Take the user's secret key out of the authentication manager."""
    if server.authcfg:
        _manager().removeAuthenticationConfig(server.authcfg)


def _manager():
    manager = QgsApplication.authManager()
    if manager.isDisabled():
        raise ConfigError(tr("QGIS's authentication manager is switched off."), manager.disabledMessage())
    return manager
