"""Where the engine's process writes down its sessions: the administrator's folder, or a temporary one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Optional

from terrafine.server.journal.folder import check_format
from terrafine.server.journal.lock import Lock


class StatePlace:
    """Held by the gateway, so that it outlives each of its engines; for one server alone."""

    def __init__(self, folder: Optional[Path] = None) -> None:
        """A temporary folder by default. Raises ConfigError for one that is in use, or holds something else."""
        self._temporary = tempfile.TemporaryDirectory(prefix="terrafine-state-") if folder is None else None
        self.folder = Path(self._temporary.name) if self._temporary is not None else (folder or Path()).resolve()
        check_format(self.folder)
        if os.name == "posix" and self.folder.stat().st_mode & 0o077:
            self.folder.chmod(0o700)  # pixels, and the administrator's token
        self._lock = Lock(self.folder)

    @property
    def lasts(self) -> bool:
        """Is it there for the next server, too?"""
        return self._temporary is None

    def close(self) -> None:
        """Twice does no harm."""
        self._lock.release()
        if self._temporary is not None:
            self._temporary.cleanup()
