from __future__ import annotations

import gc
import math

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from terrafine.shared.annotation import MAX_COORDINATE, UNDO_STEPS, Annotation, AnnotationLog, Delta, bounds
from terrafine.shared.errors import BadRequest, RevisionMismatch
from terrafine.shared.geo import Window


def point(mark_id: str, x: float = 1.5, y: float = 2.5, class_id: int = 0) -> Annotation:
    return Annotation(mark_id, "point", ((x, y),), class_id)


def ids(log: AnnotationLog) -> str:
    return "".join(mark.id for mark in log.marks)


def log_of(letters: str) -> AnnotationLog:
    log = AnnotationLog()
    for letter in letters:
        log.add(point(letter))
    return log


@pytest.mark.parametrize(
    ("kind", "vertices", "class_id", "width_px"),
    [
        ("circle", ((0, 0),), 0, 0),
        ("point", (), 0, 0),
        ("point", ((0, 0), (1, 1)), 0, 0),
        ("polygon", ((0, 0), (1, 1)), 0, 0),
        ("stroke", (), 0, 0),
        ("point", ((math.nan, 0),), 0, 0),
        ("point", ((0, -math.inf),), 0, 0),
        ("point", ((2 * MAX_COORDINATE, 0),), 0, 0),
        ("point", ((0, 0),), 255, 0),
        ("point", ((0, 0),), -1, 0),
        ("stroke", ((0, 0),), 0, -1.0),
        ("stroke", ((0, 0),), 0, math.nan),
    ],
)
def test_a_mark_that_makes_no_sense_is_refused(kind, vertices, class_id, width_px):
    with pytest.raises(BadRequest):
        Annotation("a", kind, vertices, class_id, width_px)


def test_the_bounds_of_a_point_are_its_pixel():
    assert bounds(point("a", 3.5, 5.5)) == Window(3, 5, 1, 1)


def test_bounds_reach_as_far_as_half_the_width_and_the_encoding():
    stroke = Annotation("a", "stroke", ((10.0, 10.0), (20.0, 12.0)), 0, width_px=4.0)
    assert bounds(stroke, reach=3.0) == Window(5, 5, 21, 13)


def test_undo_of_a_removal_puts_the_mark_back_where_it_was():
    log = log_of("abc")
    log.remove("a")
    delta = log.undo()
    assert ids(log) == "abc"
    assert delta == Delta(4, 5, (point("a"),), (), (0,))


def test_what_a_change_took_away_is_known_until_the_next():
    log = AnnotationLog()
    log.add(point("a"), point("b"), point("c"))
    assert log.gone == ()
    log.remove("a")
    assert [mark.id for mark in log.gone] == ["a"]
    log.undo()
    assert log.gone == ()
    log.undo()
    assert [mark.id for mark in log.gone] == ["a", "b", "c"]


def test_a_mirror_that_sees_only_deltas_keeps_the_order():
    log, mirror = AnnotationLog(), AnnotationLog()
    drawn = log.add(point("a"), point("b"), point("c"))
    for delta in (drawn, log.remove("a", "c"), log.undo(), log.undo(), log.redo()):
        mirror.apply(delta)
    assert mirror.marks == log.marks
    assert ids(log) == "abc"


def test_a_change_is_one_step():
    log = log_of("ab")
    log.change(added=[point("c"), point("d")], removed=["a"])
    assert ids(log) == "bcd"
    log.undo()
    assert ids(log) == "ab"
    log.redo()
    assert ids(log) == "bcd"


def test_a_mark_may_be_replaced_under_its_own_id():
    log = log_of("ab")
    log.change(added=[point("a", class_id=7)], removed=["a"])
    assert log.marks == (point("b"), point("a", class_id=7))
    log.undo()
    assert log.marks == (point("a"), point("b"))


def test_a_new_change_ends_what_could_be_redone():
    log = log_of("ab")
    log.undo()
    log.add(point("c"))
    assert not log.can_redo
    assert log.redo() is None


def test_an_empty_log_has_nothing_to_undo():
    log = AnnotationLog()
    assert log.undo() is None
    assert log.redo() is None
    assert log.revision == 0


def test_undo_remembers_a_limited_number_of_steps():
    log = AnnotationLog()
    for number in range(UNDO_STEPS + 5):
        log.add(point(str(number)))
    undone = sum(1 for _ in iter(log.undo, None))
    assert undone == UNDO_STEPS
    assert len(log.marks) == 5


def test_a_log_that_follows_has_nothing_to_undo_itself():
    mirror = AnnotationLog()
    mirror.apply(Delta(0, 1, (point("a"),)))
    assert not mirror.can_undo


def test_a_delta_may_skip_revisions():
    mirror = AnnotationLog()
    mirror.apply(Delta(0, 9, (point("a"),)))
    assert mirror.revision == 9


@pytest.mark.parametrize("delta", [Delta(1, 2), Delta(3, 4), Delta(2, 2), Delta(2, 1)])
def test_a_delta_that_does_not_follow_is_a_revision_mismatch(delta):
    log = log_of("ab")
    with pytest.raises(RevisionMismatch):
        log.apply(delta)


@pytest.mark.parametrize(
    "delta",
    [
        Delta(2, 3, (), ("x",)),
        Delta(2, 3, (), ("a", "a")),
        Delta(2, 3, (point("b"),)),
        Delta(2, 3, (point("c"), point("c"))),
        Delta(2, 3, (point("c"),), (), (3,)),
        Delta(2, 3, (point("c"),), (), (-1,)),
        Delta(2, 3, (point("c"), point("d")), (), (1, 1)),
        Delta(2, 3, (point("c"), point("d")), (), (1, 0)),
        Delta(2, 3, (point("c"), point("d")), (), (1,)),
        Delta(2, 3, (), (), (0,)),
    ],
)
def test_a_delta_that_makes_no_sense_is_refused_and_changes_nothing(delta):
    log = log_of("ab")
    with pytest.raises(BadRequest):
        log.apply(delta)
    assert (ids(log), log.revision, log.can_undo) == ("ab", 2, True)


def test_replace_holds_exactly_the_marks_given():
    log = log_of("ab")
    log.replace([point("x"), point("y")], 70)
    assert (ids(log), log.revision, log.can_undo) == ("xy", 70, False)


def test_replace_refuses_two_marks_with_one_id():
    with pytest.raises(BadRequest):
        AnnotationLog().replace([point("a"), point("a")], 1)


def test_undoing_thousands_of_marks_does_not_wake_the_garbage_collector() -> None:
    """Which in QGIS goes through all that QGIS holds, several times."""
    log = AnnotationLog()
    log.add(*(point(str(number)) for number in range(20_000)))
    gc.collect()  # from a full count to go, so that the few things an undo makes cannot be what tips it
    before = [generation["collections"] for generation in gc.get_stats()]
    log.undo()
    assert [generation["collections"] for generation in gc.get_stats()] == before


class LogMachine(RuleBasedStateMachine):
    """A log, a mirror that only sees its deltas, and the plain history that both must agree with."""

    def __init__(self) -> None:
        super().__init__()
        self.log, self.mirror = AnnotationLog(), AnnotationLog()
        self.past: list[tuple[Annotation, ...]] = [()]  # the last item is now
        self.future: list[tuple[Annotation, ...]] = []
        self.drawn = 0

    @rule(count=st.integers(0, 3), data=st.data())
    def change(self, count: int, data: st.DataObject) -> None:
        now = self.past[-1]
        removed = data.draw(st.lists(st.sampled_from(now), unique=True, max_size=3)) if now else []
        added = [point(str(self.drawn + number)) for number in range(count)]
        self.drawn += count
        self.mirror.apply(self.log.change(added, [mark.id for mark in removed]))
        self.past.append((*(mark for mark in now if mark not in removed), *added))
        self.future.clear()

    @rule()
    def undo(self) -> None:
        delta = self.log.undo()
        assert (delta is None) == (len(self.past) == 1)
        if delta is not None:
            self.mirror.apply(delta)
            self.future.append(self.past.pop())

    @rule()
    def redo(self) -> None:
        delta = self.log.redo()
        assert (delta is None) == (not self.future)
        if delta is not None:
            self.mirror.apply(delta)
            self.past.append(self.future.pop())

    @invariant()
    def all_agree(self) -> None:
        assert self.log.marks == self.mirror.marks == self.past[-1]
        assert self.log.revision == self.mirror.revision
        assert (self.log.can_undo, self.log.can_redo) == (len(self.past) > 1, bool(self.future))


TestLogMachine = LogMachine.TestCase
