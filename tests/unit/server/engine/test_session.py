from __future__ import annotations

import pytest

from terrafine.server.engine import session as session_module
from terrafine.server.rasters.tiling import touched
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.errors import BadRequest, RevisionMismatch
from terrafine.shared.geo import Window


def point(name: str, x: float, y: float, class_id: int = 1) -> Annotation:
    return Annotation(name, "point", ((x, y),), class_id)


@pytest.fixture
def session(make_session, noise):
    return make_session(noise(200, 200))


def test_a_change_names_the_window_of_the_tiles_it_touches(session) -> None:
    assert session.change(AnnotationLog().add(point("a", 80.5, 80.5))) == Window(48, 48, 64, 64)


def test_a_mark_outside_the_raster_changes_nothing(session) -> None:
    assert session.change(AnnotationLog().add(point("a", 5000.0, 60.5))).is_empty


def test_changed_tiles_add_up_over_revisions(session) -> None:
    log = AnnotationLog()
    session.change(log.add(point("a", 60.5, 60.5)))
    session.change(log.add(point("b", 160.5, 60.5)))
    assert session.changed_tiles(1) < session.changed_tiles(0)
    assert session.changed_tiles(2) == frozenset()


def test_a_revision_that_never_was_is_not_remembered(session) -> None:
    session.change(AnnotationLog().add(point("a", 60.5, 60.5)))
    assert session.changed_tiles(7) is None


def test_a_delta_from_another_revision_is_refused_and_changes_nothing(session) -> None:
    log = AnnotationLog()
    log.add(point("a", 1.0, 1.0))
    with pytest.raises(RevisionMismatch):
        session.change(log.add(point("b", 2.0, 2.0)))
    assert (session.log.marks, session.log.revision) == ((), 0)


def test_replacing_marks_with_themselves_changes_no_tile(session) -> None:
    marks = (point("a", 60.5, 60.5), point("b", 160.5, 60.5))
    session.replace(marks, 4)
    assert session.replace(marks, 9).is_empty
    assert session.changed_tiles(4) == frozenset()


def test_replacing_marks_in_another_order_changes_their_tiles(session) -> None:
    a, b = point("a", 60.5, 60.5, 1), point("b", 60.5, 60.5, 2)
    session.replace((a, b), 1)
    assert not session.replace((b, a), 2).is_empty


def test_a_replacement_that_goes_back_in_revisions_forgets_their_history(session) -> None:
    session.replace((point("a", 60.5, 60.5),), 5)
    session.replace((), 3)
    assert session.changed_tiles(0) is None
    assert session.changed_tiles(5) is None


def test_a_tile_sees_its_marks_oldest_first(session) -> None:
    log = AnnotationLog()
    marks = point("z", 80.5, 80.5), point("a", 81.5, 81.5)
    session.change(log.add(*marks))
    assert session.tile_marks.of(Window(48, 48, 64, 64)) == marks
    assert session.tile_marks.of(Window(144, 144, 64, 64)) == ()


def test_a_mark_that_comes_back_to_its_place_is_seen_there_again(session) -> None:
    log = AnnotationLog()
    marks = point("z", 80.5, 80.5), point("a", 81.5, 81.5)
    for delta in (log.add(*marks), log.remove("z"), log.undo()):
        session.change(delta)
    assert session.tile_marks.of(Window(48, 48, 64, 64)) == marks


def test_of_many_revisions_the_oldest_are_forgotten(session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "REVISIONS_KEPT", 3)
    log = AnnotationLog()
    for place in range(5):
        session.change(log.add(point(str(place), 10.5 + 40 * place, 80.5)))
    assert [session.changed_tiles(since) is None for since in range(6)] == [True] * 3 + [False] * 3
    assert session.changed_tiles(3) == touched(session.tiling, point("", 130.5, 80.5)) | touched(
        session.tiling, point("", 170.5, 80.5)
    )


def test_a_mark_of_a_class_that_the_model_lacks_is_refused_and_changes_nothing(session) -> None:
    log = AnnotationLog()
    session.change(log.add(point("a", 80.5, 80.5)))
    unknown = point("b", 80.5, 80.5, 3)
    for attempt in (lambda: session.change(log.add(unknown)), lambda: session.replace((unknown,), 9)):
        with pytest.raises(BadRequest, match="no class 3"):
            attempt()
    assert (session.log.marks, session.log.revision) == ((point("a", 80.5, 80.5),), 1)
    assert session.changed_tiles(1) == frozenset()


def test_a_client_that_replaces_all_its_marks_for_ever_takes_no_more_memory_for_it(session, monkeypatch) -> None:
    monkeypatch.setattr(session_module, "MARKS_KEPT", 50)
    for revision in range(1, 40):
        session.replace(tuple(point(f"{revision}-{n}", n + revision / 100, 9.5) for n in range(10)), revision)
    assert len(session._touched) <= 70
    assert sum(len(change.before or ()) for change in session._history.values()) <= 50
    assert session.changed_tiles(39) == frozenset()
    assert session.changed_tiles(1) is None
