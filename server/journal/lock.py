"""One server at a time on a state folder: a lock that the operating system lets go of when its holder dies."""

from __future__ import annotations

import os
from pathlib import Path

from terrafine.shared.errors import ConfigError


class Lock:
    """Held from its making on. Raises ConfigError where another process holds it."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            lock_file(self._file)
        except OSError as error:
            os.close(self._file)
            raise ConfigError(
                f"Another server uses the state folder '{folder}'.", "Give each a --state-dir of its own."
            ) from error

    def release(self) -> None:
        """Twice does no harm."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def lock_file(file: int) -> None:
    """Hold the file's lock until the file is closed. Raises OSError where another process has it."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
