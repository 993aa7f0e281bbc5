"""What is written down of a session, and what becomes of it when the writing stops at any byte."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafine.server.journal import records, session
from terrafine.server.journal.folder import StateFolder, expired
from terrafine.server.journal.records import Change, Journal, Marks, Network, Pixels, Side, Weights
from terrafine.server.journal.session import FILE, SessionJournal
from terrafine.server.journal.state import SessionState
from terrafine.server.process.place import StatePlace
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.errors import BadRequest, ConfigError
from terrafine.shared.geo import Grid, Window
from terrafine.shared.messages import OpenSession
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import LandCover

OPENED = OpenSession("s", "tiny", RasterInfo(Grid(600, 150), "uint8", (1, 2, 3), ((0.0, 255.0),) * 3, name="ü"))
CLASSES = (LandCover(0, "water", "#0000ff"), LandCover(1, "land", "#c0a060"))
LEARNT = Weights("w1", "0" * 64, CLASSES, "", ("one lesson",))


def mark(name: str, x: float = 1.5) -> Annotation:
    return Annotation(name, "point", ((x, 2.25),), 1)


def history() -> list[records.Record]:
    """A session's course: pixels, marks, a lesson, an undo."""
    log = AnnotationLog()
    return [
        Pixels((Window(0, 0, 512, 150),), ("a" * 64,)),
        Change(log.add(mark("a"))),
        Change(log.add(mark("b"), mark("c"))),
        LEARNT,
        Network(log.take_revision(), "w1", CLASSES, (0, 1)),
        Pixels((Window(512, 0, 88, 150),), ("b" * 64,)),
        Change(log.undo()),
    ]


def told(state: SessionState) -> tuple:
    return (
        *(state.client, state.opened, state.blocks, state.log.marks, state.log.revision),
        *(state.network, state.side, list(state.weights.items()), state.current),
    )


def followed(of: list[records.Record]) -> SessionState:
    state = SessionState("alice", OPENED)
    for record in of:
        state.follow(record)
    return state


def test_the_fewest_records_lead_to_the_same_state() -> None:
    state = followed(history())
    first, *others = state.records()
    assert first == Journal(records.VERSION, "alice", OPENED)
    assert told(followed(others)) == told(state)
    assert [item.id for item in state.log.marks] == ["a"]


@given(st.lists(st.sampled_from(["add", "remove", "undo", "redo", "learn"]), max_size=30))
def test_a_journal_follows_every_course_of_marks_and_lessons(steps: list[str]) -> None:
    log, state = AnnotationLog(), SessionState("", OPENED)
    for number, step in enumerate(steps):
        if step == "learn":
            state.follow(Network(log.take_revision(), "", CLASSES, (0, 1)))
        elif step == "add":
            state.follow(Change(log.add(mark(str(number)))))
        elif step == "remove" and log.marks:
            state.follow(Change(log.remove(log.marks[number % len(log.marks)].id)))
        elif step in ("undo", "redo") and (delta := getattr(log, step)()):
            state.follow(Change(delta))
    assert (state.log.marks, state.log.revision) == (log.marks, log.revision)


def written(folder: Path) -> SessionJournal:
    journal = SessionJournal.create(folder, "alice", OPENED)
    for record in history():
        journal.add(record)
    journal.close()
    return journal


def test_a_journal_that_is_read_tells_what_was_written(tmp_path: Path) -> None:
    journal = written(tmp_path / "s")
    assert told(SessionJournal.read(tmp_path / "s").state) == told(journal.state)


def test_a_journal_that_was_cut_off_anywhere_is_read_up_to_the_last_whole_record(tmp_path: Path) -> None:
    written(tmp_path / "s")
    whole = (tmp_path / "s" / FILE).read_bytes()
    begun = len(b"".join(whole.splitlines(keepends=True)[:2]))  # what it is about, and no marks
    for size in range(begun, len(whole), 7):
        (tmp_path / "s" / FILE).write_bytes(whole[:size])
        journal = SessionJournal.read(tmp_path / "s")
        lines = whole[:size].count(b"\n")
        assert told(journal.state) == told(followed(history()[: max(0, lines - 2)]))
        assert (tmp_path / "s" / FILE).read_bytes() == b"".join(whole.splitlines(keepends=True)[:lines])


@pytest.mark.parametrize("spoilt", [b"", b"00000000 {}\n", b"nonsense\n", os.urandom(300)])
def test_a_journal_without_a_beginning_is_none(tmp_path: Path, spoilt: bytes) -> None:
    (tmp_path / FILE).write_bytes(spoilt)
    with pytest.raises(BadRequest):
        SessionJournal.read(tmp_path)


def test_a_bit_that_flipped_costs_what_came_after_it_and_no_more(tmp_path: Path) -> None:
    written(tmp_path / "s")
    lines = (tmp_path / "s" / FILE).read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b"b", b"c", 1)
    (tmp_path / "s" / FILE).write_bytes(b"".join(lines))
    assert told(SessionJournal.read(tmp_path / "s").state) == told(followed(history()[:2]))


def test_what_another_version_wrote_is_not_guessed_at() -> None:
    with pytest.raises(BadRequest, match="version 2"):
        records.parsed(records.line(Journal(2, "", OPENED)))


def test_a_long_journal_is_written_anew_and_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MOST_LINES", 10)
    journal, log = SessionJournal.create(tmp_path / "s", "", OPENED), AnnotationLog()
    for number in range(40):
        journal.add(Change(log.add(mark(str(number)))))
        journal.add(Change(log.undo()))
    assert len((tmp_path / "s" / FILE).read_bytes().splitlines()) < 15
    read = SessionJournal.read(tmp_path / "s")
    assert (read.state.log.revision, read.state.log.marks) == (80, ())


def test_a_journal_that_cannot_be_kept_up_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = written(tmp_path / "s")
    monkeypatch.setattr(journal, "_append", lambda _line: (_ for _ in ()).throw(OSError("no room")))
    journal.add(Marks((), 99))
    assert journal.state.log.revision == 99
    assert list((tmp_path / "s").iterdir()) == []
    monkeypatch.undo()
    journal.add(Marks((), 100))
    assert list((tmp_path / "s").iterdir()) == []
    journal.remove()
    assert not (tmp_path / "s").exists()


def test_sessions_are_found_in_the_order_of_their_last_use_and_what_is_broken_is_removed(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    for age, name in enumerate(("new", "old", "broken")):
        journal = folder.begin("alice", OpenSession(name, "tiny", OPENED.raster))
        os.utime(journal.folder / FILE, (time.time() - 86_400 * age,) * 2)
    (journal.folder / FILE).write_bytes(b"x")
    found = StateFolder(tmp_path / "state").read_all()
    assert [journal.state.opened.session for journal in found] == ["old", "new"]
    assert not journal.folder.exists()
    assert [expired(journal, keep_days=0.5) for journal in found] == [True, False]


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(ConfigError, match="state folder"):
        StateFolder(tmp_path)


def test_names_that_clients_choose_are_no_names_of_files(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    folder.begin("../..", OpenSession("../../../etc/passwd\0\ud800", "tiny", OPENED.raster))
    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")} == {"state"}
    assert np.unique([len(path.name) for path in (tmp_path / "state" / "sessions").iterdir()]) == [32]


def test_side_information_is_a_file_beside_the_journal_until_there_is_other(tmp_path: Path) -> None:
    journal = written(tmp_path / "s")
    for revision, content in ((10, b"first"), (11, b"second")):
        digest = journal.keep_arrays(lambda file, content=content: file.write_bytes(content) and None)
        journal.add(Side(revision, digest))
        journal.drop_arrays()
    journal.close()
    read = SessionJournal.read(tmp_path / "s")
    assert read.arrays(read.state.side.digest).read_bytes() == b"second"
    assert len(list(read.folder.glob("*.safetensors"))) == 1
    assert told(followed(list(read.state.records())[1:])) == told(read.state)


def test_what_is_on_the_disk_is_for_the_servers_account_and_one_server_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    place = StatePlace(folder)
    assert os.name == "nt" or folder.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigError, match="Another server"):
        StatePlace(folder)
    place.close()
    place.close()
    StatePlace(folder).close()


def test_a_temporary_place_is_gone_in_the_end() -> None:
    place = StatePlace()
    assert (place.folder / "format").is_file()
    assert not place.lasts
    place.close()
    assert not place.folder.exists()


def test_a_clock_that_is_set_forward_makes_no_session_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = StateFolder(tmp_path / "state").begin("alice", OpenSession("s", "tiny", OPENED.raster))
    ahead = time.time() + 400 * 86_400
    monkeypatch.setattr(time, "time", lambda: ahead)
    assert not expired(journal, keep_days=30)
    os.utime(journal.folder / FILE, (ahead, ahead))
    assert not expired(journal, keep_days=30)
