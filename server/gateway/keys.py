"""The key folder of a server that encrypts: its own keys, and those of the clients that it lets in.

    KEYS/server.key         the server's secret key, for its owner's eyes alone
    KEYS/server.pub         the public key beside it, which every client needs
    KEYS/clients/NAME.pub   the public key of one client; without this file, it is let in no more

Each file is one line: a CURVE key as Z85, 40 characters. Files appear complete or not at all, so that a server may read
them at any time.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from terrafine.shared.errors import ConfigError, NotFound
from terrafine.shared.transport import is_key, new_secret_key, public_key

log = logging.getLogger(__name__)
SECRET, PUBLIC = ".key", ".pub"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


def write_pair(stem: Path) -> str:
    """Make new keys, `stem`.key and `stem`.pub; returns the public one. Raises ConfigError where there are some."""
    secret_file, public_file = with_suffix(stem, SECRET), with_suffix(stem, PUBLIC)
    for file in (secret_file, public_file):
        if file.exists():
            raise ConfigError(
                f"'{file}' is there already.", "Keys are never overwritten: move it away, or choose another."
            )
    secret = new_secret_key()
    stem.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(secret_file, secret, 0o600)
    _write(public_file, public_key(secret), 0o644)
    return public_key(secret)


def read_secret(stem: Path) -> str:
    """The secret key in `stem`.key; raises ConfigError where there is none, or where others could read it."""
    file = with_suffix(stem, SECRET)
    if not file.is_file():
        raise ConfigError(f"There is no secret key '{file}'.", f"Make one: terrafine keygen {stem}")
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise ConfigError(f"Others can read the secret key '{file}'.", f"chmod 600 {file}; or make new keys.")
    return _read(file)


def with_suffix(stem: Path, suffix: str) -> Path:
    """`stem` may hold dots, which are no suffix: a host's name, say."""
    return stem.with_name(stem.name + suffix)


class ClientList:
    """The clients that a server lets in: one file each in the folder `clients` of its keys."""

    def __init__(self, keys: Path) -> None:
        self.folder = keys / "clients"

    def changed_at(self) -> int:
        """When a file came or went last, in ns; 0 before the first."""
        try:
            return self.folder.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def read(self) -> dict[str, str]:
        """Names by public key. A file that holds no key is passed over, and said so in the log."""
        names = {}
        for file in sorted(self.folder.glob(f"*{PUBLIC}")):
            try:
                names[_read(file)] = file.stem
            except (ConfigError, OSError) as error:  # an OSError: it was removed just now
                log.warning("passed over a client's key: %s", error)
        return names

    def add(self, name: str, key: str) -> None:
        """Let in whoever holds the secret key beside the public `key`. Raises ConfigError for what cannot be."""
        file = self._file(name)
        if not is_key(key):
            raise ConfigError("This is no public key.", "It has 40 characters; put it between single quotes.")
        holder = self.read().get(key)
        if holder is not None or file.exists():
            raise ConfigError(
                f"'{holder or name}' is let in already{' with this key' if holder else ''}.",
                f"To change the key: terrafine clients revoke {holder or name}",
            )
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(file, key, 0o644)

    def revoke(self, name: str) -> None:
        """Let this client in no more; a running server follows within a second or two. Raises NotFound."""
        try:
            self._file(name).unlink()
        except FileNotFoundError:
            raise NotFound(
                f"There is no client '{name}'.", "terrafine clients list shows those that there are."
            ) from None

    def _file(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"'{name[:80]}' cannot be a client's name.",
                "Up to 64 letters, digits and . _ @ -, a letter or digit first.",
            )
        return self.folder / (name + PUBLIC)


def _read(file: Path) -> str:
    text = file.read_text("ascii", "replace").strip()
    if not is_key(text):
        raise ConfigError(f"'{file}' holds no key.", "One line of 40 characters.")
    return text


def _write(file: Path, key: str, mode: int) -> None:
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="ascii") as opened:
        opened.write(key + "\n")
    os.replace(draft, file)
