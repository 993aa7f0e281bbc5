"""The spatial index of marks follows every change, and says what an index made from scratch says, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafine.models.encoding.encode import encode, marked_pixels
from terrafine.server.engine import session as session_module
from terrafine.server.engine.tile_marks import TileMarks, Tiles
from terrafine.shared.annotation import Annotation, AnnotationLog, Delta
from terrafine.shared.geo import Window
from terrafine.shared.spec import EncodingSpec

SPEC = EncodingSpec("distance", 6.0)
TILES = [Window(32 * step, 0, 64, 64) for step in range(4)]


def mark(number: int) -> Annotation:
    x = 17.0 * number % 160
    if number % 4:
        return Annotation(f"m{number}", "point", ((x, 5.0),), number % 3)
    return Annotation(f"m{number}", "stroke", ((x, 5.0), (x + 1, 40.0)), number % 3, 3.0)


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
        for tile in TILES:
            assert index.of(tile) == expected.of(tile)
            assert np.array_equal(encode(index.of(tile), tile, SPEC, 3), encode(expected.of(tile), tile, SPEC, 3))
            assert np.array_equal(marked_pixels(index.of(tile), tile), marked_pixels(expected.of(tile), tile))


def changed(log: AnnotationLog, what: str, count: int, number: int) -> Delta | None:
    """Some change of the log; None where there is nothing to change."""
    if what == "add":
        return log.add(mark(1000 + 100 * count), mark(1001 + 100 * count))
    if what == "remove":
        return log.remove(log.marks[number % len(log.marks)].id) if log.marks else None
    return log.undo() if what == "undo" else log.redo()


@pytest.mark.parametrize("kept", [0, 2, 8])
def test_a_session_knows_the_marks_of_every_revision(make_session, noise, kept, monkeypatch) -> None:
    monkeypatch.setattr(session_module, "TILE_MARKS_KEPT", kept)
    session, log = make_session(noise(200, 200)), AnnotationLog()
    known = {0: ()}
    log.add(mark(0), mark(1))
    session.replace(log.marks, log.revision)
    known[log.revision] = log.marks
    for step in (lambda: log.add(mark(2)), lambda: log.remove("m0"), log.undo, lambda: log.add(mark(3)), log.undo):
        session.change(step())
        known[log.revision] = log.marks
    assert {revision: session.tile_marks_at(revision).marks for revision in known} == known
