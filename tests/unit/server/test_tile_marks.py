"""The spatial index of marks follows every change, and says what an index made from scratch says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from terrafine.server.engine.tile_marks import TileMarks, Tiles
from terrafine.shared.annotation import Annotation, AnnotationLog, Delta
from terrafine.shared.geo import Window

TILES = [Window(32 * step, 0, 64, 64) for step in range(4)]


def mark(number: int) -> Annotation:
    return Annotation(f"m{number}", "point", ((17.0 * number % 160, 5.0),), number % 3)


def tiles_of(one: Annotation) -> Tiles:
    return frozenset(tile for tile in TILES if tile.col <= one.vertices[0][0] < tile.col_end)


def from_scratch(marks: tuple[Annotation, ...]) -> TileMarks:
    return TileMarks({one: tiles_of(one) for one in marks})


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "undo", "redo"]), st.integers(0, 30)), max_size=20))
def test_an_index_that_followed_equals_one_from_scratch(steps) -> None:
    log, index = AnnotationLog(), TileMarks({})
    for count, (what, number) in enumerate(steps):
        delta = changed(log, what, count, number)
        if delta is None:
            continue
        index = index.changed(delta, {one: tiles_of(one) for one in delta.added})
        expected = from_scratch(log.marks)
        assert index.marks == expected.marks
        assert sorted(index.tiles) == sorted(expected.tiles)
        assert [index.of(tile) for tile in TILES] == [expected.of(tile) for tile in TILES]


def changed(log: AnnotationLog, what: str, count: int, number: int) -> Delta | None:
    """Some change of the log; None where there is nothing to change."""
    if what == "add":
        return log.add(mark(1000 + 100 * count), mark(1001 + 100 * count))
    if what == "remove":
        return log.remove(log.marks[number % len(log.marks)].id) if log.marks else None
    return log.undo() if what == "undo" else log.redo()


def test_a_session_knows_the_marks_of_every_revision(make_session, noise) -> None:
    session, log = make_session(noise(200, 200)), AnnotationLog()
    known = {0: ()}
    log.add(mark(0), mark(1))
    session.replace(log.marks, log.revision)
    known[log.revision] = log.marks
    for step in (lambda: log.add(mark(2)), lambda: log.remove("m0"), log.undo, lambda: log.add(mark(3)), log.undo):
        session.change(step())
        known[log.revision] = log.marks
    assert {revision: session.tile_marks_at(revision).marks for revision in known} == known
