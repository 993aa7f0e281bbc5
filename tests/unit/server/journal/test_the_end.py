"""What the server does with its sessions when it ends in order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from terrafine.server.engine.sessions import Sessions
from terrafine.server.journal.folder import StateFolder
from terrafine.server.journal.records import Change
from terrafine.server.zoo import Zoo
from terrafine.shared.annotation import Delta
from terrafine.shared.geo import Grid
from terrafine.shared.messages import OpenSession
from terrafine.shared.raster import RasterInfo

OPENING = OpenSession("s", "tiny", RasterInfo(Grid(200, 150, gsd_m=0.5), "uint8", (1, 2, 3), ((0.0, 255.0),) * 3))


def test_all_that_was_written_down_is_on_the_disk(zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, synced = Sessions(zoo, StateFolder(tmp_path / "state")), []
    sessions.open("", OPENING)
    sessions.find("", "s").note(Change(Delta(0, 1)))
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_size))
    sessions.close_all()
    (journal,) = (tmp_path / "state").glob("sessions/*/journal")
    assert synced == [journal.stat().st_size]
