"""The journal of one session: a folder with the file of its records, and files of the arrays that belong to it."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Optional

from terrafine.server.journal import records
from terrafine.server.journal.records import Journal, Record
from terrafine.server.journal.state import SessionState
from terrafine.shared.errors import BadRequest, TerrafineError
from terrafine.shared.messages import OpenSession

log = logging.getLogger(__name__)
FILE, DRAFT, ARRAYS = "journal", "journal.draft", ".safetensors"
ARRAYS_DRAFT = "arrays.draft"
MOST_LINES = 2000  # beside what the state itself takes; then the file is written anew
TOUCH_S = 60.0  # how exactly a session's last use is known


class SessionJournal:
    """What cannot be written down any more (no room, say) is not half known either: the journal is given up, and the
    client, which has it all, brings the session back. Files of arrays, which may rest here alone, stay until it ends.
    """

    def __init__(self, folder: Path, state: SessionState, lines: int) -> None:
        """Of a journal that is there; `create` and `read` make them."""
        self.folder = folder
        self.state = state
        self._lines = lines
        self._file: Optional[BinaryIO] = None
        self._touched = -math.inf
        self._is_synced = True
        self._is_given_up = False

    @classmethod
    def create(cls, folder: Path, client: str, opened: OpenSession, model: str = "") -> SessionJournal:
        """A new one, in the place of another that may be there."""
        shutil.rmtree(folder, ignore_errors=True)
        journal = cls(folder, SessionState(client, opened, model), 0)
        try:
            folder.mkdir(parents=True)
            journal.rewrite()
        except OSError as error:
            journal.give_up(error)
        return journal

    @classmethod
    def read(cls, folder: Path, mend: bool = True) -> SessionJournal:
        """Raises BadRequest where it makes no sense, OSError where it cannot be read.

        A torn end is cut off; not so without `mend`: a server may be writing just now.
        """
        found = list(_whole_records(folder / FILE, mend))
        if not found or not isinstance(found[0], Journal):
            raise BadRequest("A journal begins with what it is about.")
        first, others = found[0], found[1:]
        state = SessionState(first.client, first.opened, first.model)
        for record in others:
            state.follow(record)
        return cls(folder, state, len(others))

    @property
    def used(self) -> float:
        """When the session was last used, by the clock on the wall; 0 if it is given up."""
        try:
            return (self.folder / FILE).stat().st_mtime
        except OSError:
            return 0.0

    def add(self, record: Record) -> None:
        """Write down what happened to the session."""
        self.state.follow(record)
        if self._is_given_up:
            return
        try:
            self._append(records.line(record))
            if self._lines > MOST_LINES:
                self.rewrite()
        except (OSError, TerrafineError) as error:
            self.give_up(error)

    def arrays(self, digest: str) -> Path:
        """The file of arrays with this digest."""
        return self.folder / (digest + ARRAYS)

    def keep_arrays(self, write: Callable[[Path], None]) -> str:
        """Have a file of arrays written, and returns its digest. Raises what `write` does."""
        draft = self.folder / ARRAYS_DRAFT
        write(draft)
        digest = file_digest(draft)
        os.replace(draft, self.arrays(digest))
        return digest

    def drop_arrays(self) -> None:
        """Remove the files of weights and of side information that the session does not have any more."""
        for file in self.folder.glob("*" + ARRAYS):
            if file.stem not in self.state.digests:
                file.unlink(missing_ok=True)

    def touch(self) -> None:
        """The session is in use."""
        now = time.monotonic()
        if now - self._touched < TOUCH_S or self._is_given_up:
            return
        self._touched = now
        try:
            os.utime(self.folder / FILE)
        except OSError as error:
            self.give_up(error)

    def sync(self) -> None:
        """What was written survives the power's end from here on."""
        if self._file is None or self._is_synced:
            return
        self._is_synced = True
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            self.give_up(error)

    def rewrite(self) -> None:
        """Begin the file anew with the fewest records; it is complete at any time."""
        self.close()
        lines = [records.line(record) for record in self.state.records()]
        draft = self.folder / DRAFT
        with draft.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self.folder / FILE)
        self._lines = 0
        self.drop_arrays()

    def take_over(self) -> None:
        """From another process, which may still have the old file open."""
        try:
            self.rewrite()
        except OSError as error:
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        if not self._is_given_up:
            log.warning("a session cannot be written down any more: %s", error)
        self._is_given_up = True
        self.close()
        for name in (FILE, DRAFT):
            with suppress(OSError):
                (self.folder / name).unlink()

    def remove(self) -> None:
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, line: bytes) -> None:
        """In one piece, unbuffered: what the engine's process dies of does not lose what was written."""
        if self._file is None:
            self._file = (self.folder / FILE).open("r+b", buffering=0)
            self._file.seek(0, os.SEEK_END)
        if self._file.write(line) != len(line):
            raise OSError("there is no room left")
        self._lines += 1
        self._is_synced = False


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            hashed.update(part)
    return hashed.hexdigest()


def _whole_records(path: Path, mend: bool) -> Iterator[Record]:
    """All records up to the first that is torn; to `mend` is to cut off what comes from there on."""
    with path.open("r+b" if mend else "rb") as file:
        whole = 0
        for text in iter(file.readline, b""):
            record = records.parsed(text)
            if record is None and not mend:
                return
            if record is None:
                log.warning("a journal was torn after %d bytes", whole)
                file.truncate(whole)
                return
            whole += len(text)
            yield record
