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
import shutil
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
_CLOCK_AT_START = time.time() - time.monotonic()
MAX_KEPT = 256  # sessions of one client; the one it did not use for longest makes room
MAX_SESSIONS = 16  # of these that are open, likewise


class StateFolder:
    """is_shared  with engines on other machines, each of which reads a session's journal once it is asked for it
    is_guest      of whoever reads them and changes nothing
    """

    def __init__(self, folder: Optional[Path] = None, is_shared: bool = False, is_guest: bool = False) -> None:
        """Makes a temporary folder by default. Raises ConfigError for a folder that holds something else."""
        self.is_shared, self._is_guest = is_shared, is_guest
        self._temporary = tempfile.TemporaryDirectory(prefix="terrafine-state-") if folder is None else None
        self.folder = Path(self._temporary.name) if self._temporary is not None else folder or Path()
        self.pixels = self.folder / "pixels"
        self._sessions = self.folder / "sessions"
        check_format(self.folder)

    def begin(self, client: str, opened: OpenSession, model: str = "") -> SessionJournal:
        """The journal of a new session with a model of this digest, in the place of one of the same name."""
        return SessionJournal.create(self._sessions / hashed(client, opened.session), client, opened, model)

    def read_all(self) -> list[SessionJournal]:
        """The journals there are, the one used longest ago first; of a shared folder none. One that cannot be read is
        removed: its client has what it held.
        """
        folders = () if self.is_shared else self._sessions.glob("*/")
        found = (_read(folder) for folder in folders)
        return sorted((journal for journal in found if journal is not None), key=lambda journal: journal.used)

    def find(self, client: str, session: str) -> Optional[SessionJournal]:
        """The journal of a session that another engine has left in a shared folder. It is written anew, so that nothing
        can reach it any more of what that engine, should it live, still has to say; not so for a guest, for whom that
        engine is at work.
        """
        folder = self._sessions / hashed(client, session)
        if not self.is_shared or not folder.is_dir():
            return None
        if self._is_guest:
            return _looked_at(folder)
        journal = _read(folder)
        if journal is not None:
            journal.take_over()
        return journal

    def look(self) -> list[SessionJournal]:
        """Like `read_all`, while a server may be at work: changes nothing, and passes over what cannot be read."""
        found = map(_looked_at, self._sessions.glob("*/"))
        return sorted((journal for journal in found if journal is not None), key=lambda journal: journal.used)

    def remove(self, client: str, session: str) -> None:
        """Remove the journal of a session that no engine holds."""
        shutil.rmtree(self._sessions / hashed(client, session), ignore_errors=True)

    def sweep(self, unused_s: float) -> None:
        """Remove the pixels in a shared folder that no session has, and nobody has looked at for so long."""
        used = {
            (hashed(journal.state.client), digest)
            for journal in self.look()
            for digest in journal.state.blocks.values()
        }
        for path in self.pixels.glob("*/*"):
            if (path.parent.name, path.stem) not in used and path.stat().st_mtime < time.time() - unused_s:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()


def _read(folder: Path) -> Optional[SessionJournal]:
    """The journal in a folder; one that cannot be read is removed."""
    try:
        return SessionJournal.read(folder)
    except (BadRequest, OSError) as error:
        log.warning("a session's journal is of no use and is removed: %s", error)
        SessionJournal(folder, None, 0).remove()  # type: ignore[arg-type]
        return None


def _looked_at(folder: Path) -> Optional[SessionJournal]:
    """The journal in a folder; None for one that cannot be read."""
    try:
        return SessionJournal.read(folder, mend=False)
    except (BadRequest, OSError):
        log.debug("passed over '%s'", folder)
        return None


def expired(journal: SessionJournal, keep_days: float) -> bool:
    """Was the session not used for so long? Of one that is given up nobody knows.

    Time is counted from this process's start: a clock that is set forward meanwhile makes nothing old.
    """
    return 0.0 < journal.used < _CLOCK_AT_START + time.monotonic() - keep_days * DAY_S


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
