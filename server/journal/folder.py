"""The state folder: everything that the server's sessions need to be found again.

    STATE/format                       "terrafine-state 1"
    STATE/sessions/KEY/journal         the records of a session (records.py)
    STATE/sessions/KEY/DIGEST.safetensors    the weights that it learnt
    STATE/pixels/OWNER/DIGEST.npy      a block of pixels and its mask, for all sessions of one client

KEY and OWNER are hashes: names that clients choose are never names of files.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
from pathlib import Path
from typing import Optional

from terrafine.server.journal.session import SessionJournal
from terrafine.shared.errors import BadRequest, ConfigError
from terrafine.shared.messages import OpenSession

log = logging.getLogger(__name__)
FORMAT = "terrafine-state 1\n"
DAY_S = 86_400.0


class StateFolder:
    def __init__(self, folder: Optional[Path] = None) -> None:
        """A temporary one by default. Raises ConfigError for a folder that holds something else."""
        self._temporary = tempfile.TemporaryDirectory(prefix="terrafine-state-") if folder is None else None
        self.folder = Path(self._temporary.name) if self._temporary is not None else folder or Path()
        self.pixels = self.folder / "pixels"
        self._sessions = self.folder / "sessions"
        check_format(self.folder)

    def begin(self, client: str, opened: OpenSession) -> SessionJournal:
        """The journal of a new session, in the place of one of the same name."""
        return SessionJournal.create(self._sessions / hashed(client, opened.session), client, opened)

    def read_all(self) -> list[SessionJournal]:
        """The journals there are, the one used longest ago first. One that cannot be read is removed: its client has
        what it held.
        """
        found = []
        for folder in self._sessions.glob("*/"):
            try:
                found.append(SessionJournal.read(folder))
            except (BadRequest, OSError) as error:
                log.warning("a session's journal is of no use and is removed: %s", error)
                SessionJournal(folder, None, 0).remove()  # type: ignore[arg-type]
        return sorted(found, key=lambda journal: journal.used)

    def look(self) -> list[SessionJournal]:
        """Likewise, while a server may be at work: nothing is changed, what cannot be read is passed over."""
        found = []
        for folder in self._sessions.glob("*/"):
            try:
                found.append(SessionJournal.read(folder, mend=False))
            except (BadRequest, OSError):
                log.debug("passed over '%s'", folder)
        return sorted(found, key=lambda journal: journal.used)

    def close(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()


def expired(journal: SessionJournal, keep_days: float) -> bool:
    """Was the session not used for so long? Of one that is given up nobody knows."""
    return 0.0 < journal.used < time.time() - keep_days * DAY_S


def hashed(*names: str) -> str:
    """A name for a file that stands for these."""
    return hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def check_format(folder: Path) -> None:
    """A folder that is empty, or is not there yet, becomes a state folder; raises ConfigError for any other."""
    file = folder / "format"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not file.exists() and not any(folder.iterdir()):
        file.write_text(FORMAT, "ascii")
    if not file.is_file() or file.read_text("ascii", "replace") != FORMAT:
        raise ConfigError(f"'{folder}' is no state folder of this version.", "Choose an empty one for --state-dir.")
