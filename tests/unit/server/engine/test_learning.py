from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from terrafine.models.infer import Predictor
from terrafine.models.registry import ZOO, build, load_predictor
from terrafine.server.engine import learning
from terrafine.server.engine.engine import predict
from terrafine.server.engine.learning import learn, set_legend, use_weights, windows_of, with_legend
from terrafine.server.engine.session import Session
from terrafine.server.engine.work import Work
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.errors import BadRequest, Cancelled, NotFound, RevisionMismatch
from terrafine.shared.geo import Window, contains, slices
from terrafine.shared.learning import LearnOptions
from terrafine.shared.messages import Learnt, Progress
from terrafine.shared.patch import Patch
from terrafine.shared.spec import LandCover

SIZE = Window(0, 0, 130, 100)
QUICK = LearnOptions("decoder", steps=2, rate=0.3)
SOLAR = LandCover(3, "solar panels", "#000080")
MARKS = (
    Annotation("a", "point", ((20.5, 20.5),), 0),
    Annotation("b", "stroke", ((90.0, 40.0), (110.0, 60.0)), 1, 4.0),
    Annotation("c", "point", ((70.5, 80.5),), 2),
)


@pytest.fixture(scope="module")
def network(spec):
    """Untrained, and torn between all classes."""
    torch.manual_seed(3)
    built = build(spec)
    with torch.no_grad():
        built.head.weight.mul_(100)
    return built


@pytest.fixture
def session(make_session, noise, network, spec) -> Session:
    session = make_session(noise(SIZE.height, SIZE.width), predictor=Predictor(spec, network))
    session.replace(MARKS, 1)
    return session


def painted(session: Session, onto: np.ndarray | None = None, since: int | None = None) -> np.ndarray:
    """Map and uncertainty, uint8 (2, rows, columns)."""
    out = np.full((2, *SIZE.shape), 77, np.uint8) if onto is None else onto.copy()
    for item in predict(session, SIZE, since, "entropy"):
        if isinstance(item, Patch):
            out[(slice(None), *slices(item.window, SIZE))] = item.array
    return out


def learnt(session: Session, options: LearnOptions = QUICK) -> Learnt:
    now = session.log.revision
    *_, last = learn(session, now, now + 1, options)
    return last


@pytest.mark.parametrize("scope", ["head", "decoder", "all"])
def test_learning_changes_the_map_and_its_undo_brings_it_back_at_once(session, monkeypatch, scope: str) -> None:
    before = painted(session)
    reply = learnt(session, replace(QUICK, scope=scope))
    assert (reply.revision, session.log.revision, reply.changed) == (2, 2, SIZE)
    after = painted(session, before, since=1)
    assert (after[0] != before[0]).any()
    assert use_weights(session, 2, 3, "") == SIZE
    monkeypatch.setattr(Predictor, "logits", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(painted(session, after, since=2), before)
    use_weights(session, 3, 4, reply.weights)
    np.testing.assert_array_equal(painted(session, before, since=3), after)


@pytest.mark.parametrize(("scope", "looks"), [("head", False), ("decoder", False), ("all", True)])
def test_images_are_looked_at_again_only_if_the_encoder_has_learnt(session, monkeypatch, scope: str, looks) -> None:
    painted(session)
    learnt(session, replace(QUICK, scope=scope))
    looked, features = [], Predictor.features
    monkeypatch.setattr(Predictor, "features", lambda self, images: looked.append(1) or features(self, images))
    painted(session)
    assert bool(looked) == looks


def test_after_learning_from_all_a_further_lesson_of_the_decoder_keeps_that_encoders_features(session) -> None:
    first = learnt(session, replace(QUICK, scope="all")).weights
    learnt(session)
    assert session.weights.current.encoder == first


STEPS = st.lists(
    st.sampled_from(["mark", "erase", "head", "decoder", "came", "first", "add", "merge", "remove", "restore"]),
    min_size=2,
    max_size=5,
)


@given(STEPS)
@settings(max_examples=8)
def test_the_map_refreshed_is_the_map_from_scratch_whatever_was_learnt_and_renamed(
    make_session, noise, network, spec, steps
) -> None:
    image = noise(SIZE.height, SIZE.width)
    session = make_session(image, predictor=Predictor(spec, network))
    session.replace(MARKS, 1)
    current, known = painted(session), [""]
    for number, step in enumerate(steps):
        since = session.log.revision
        _take(session, step, number, known)
        current = painted(session, current, since)
    fresh = make_session(image, predictor=session.predictor)
    fresh.legend = session.legend
    fresh.replace(session.log.marks, 1)
    np.testing.assert_array_equal(current, painted(fresh))


def _take(session: Session, step: str, number: int, known: list[str]) -> None:
    now, classes, becomes = session.log.revision, session.legend.classes, session.legend.becomes
    if step == "mark":
        session.replace(
            (*session.log.marks, Annotation(f"m{number}", "point", ((30.5 + 9 * number, 50.5),), 1)), now + 1
        )
    elif step == "erase":
        session.replace(session.log.marks[1:], now + 1)
    elif step in ("head", "decoder"):
        if session.tile_marks.marks:
            known.append(learnt(session, LearnOptions(step, steps=1, rate=0.1 if step == "decoder" else None)).weights)
    elif step in ("came", "first"):
        use_weights(session, now, now + 1, known[0 if step == "came" else min(1, len(known) - 1)])
    elif step == "add":
        set_legend(session, now, now + 1, (*classes, replace(SOLAR, id=len(classes))), (*becomes, len(classes)))
    else:
        target = {"merge": 0, "remove": -1, "restore": 1}[step]
        set_legend(session, now, now + 1, classes, (becomes[0], target, *becomes[2:]))


def test_a_class_that_was_added_can_be_marked_and_the_old_map_stays(session) -> None:
    before = painted(session)
    assert set_legend(session, 1, 2, (*session.legend.classes, SOLAR), (0, 1, 2, 3)) == SIZE
    np.testing.assert_array_equal(painted(session, before, since=1)[0], before[0])
    session.replace((*MARKS, Annotation("d", "point", ((50.5, 30.5),), 3)), 3)
    assert painted(session)[0, 30, 50] == 3
    learnt(session)
    assert painted(session)[0, 30, 50] == 3


def test_earlier_weights_have_the_classes_that_were_added_since(session) -> None:
    set_legend(session, 1, 2, (*session.legend.classes, SOLAR), (0, 1, 2, 3))
    name = learnt(session).weights
    set_legend(session, 3, 4, (*session.legend.classes, replace(SOLAR, id=4, name="tents")), (0, 1, 2, 3, 4))
    for revision, wanted in enumerate(["", name], 4):
        use_weights(session, revision, revision + 1, wanted)
        assert (session.weights.current.name, len(session.spec.classes)) == (wanted, 5)
        assert painted(session)[0].max() < 5


def test_merged_classes_are_one_in_the_map_and_removed_ones_are_gone(session) -> None:
    before = painted(session)
    set_legend(session, 1, 2, session.legend.classes, (0, 0, -1))
    after = painted(session, before, since=1)
    assert set(np.unique(before[0])) == {0, 1, 2}
    assert set(np.unique(after[0])) == {0}
    assert (after[1] == 0).all()  # what else could it be
    set_legend(session, 2, 3, session.legend.classes, (0, 1, 2))
    np.testing.assert_array_equal(painted(session, after, since=2), before)


def test_another_name_or_colour_changes_nothing_in_the_map(session) -> None:
    classes = (LandCover(0, "sea", "#0000aa"), *session.legend.classes[1:])
    assert set_legend(session, 1, 2, classes, (0, 1, 2)).is_empty
    assert session.changed_tiles(1) == frozenset()
    assert session.legend.classes == classes


def test_a_session_with_a_legend_of_its_own_keeps_the_classes_that_the_model_knows_by_name(
    make_session, noise, network, spec
) -> None:
    own = (LandCover(0, "trees", "#008000"), LandCover(1, "water", "#0000ff"), LandCover(2, "bare land", "#c0a060"))
    image = noise(SIZE.height, SIZE.width)
    plain = painted(make_session(image, predictor=Predictor(spec, network)))
    other = painted(make_session(image, predictor=with_legend(Predictor(spec, network), own)))
    np.testing.assert_array_equal(np.array([1, 2, 0], np.uint8)[plain[0]], other[0])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda s: learnt_at(s, 0), RevisionMismatch),
        (lambda s: use_weights(s, 0, 2, ""), RevisionMismatch),
        (lambda s: use_weights(s, 1, 2, "never"), NotFound),
        (lambda s: set_legend(s, 0, 2, s.legend.classes, (0, 1, 1)), RevisionMismatch),
        (lambda s: set_legend(s, 1, 2, s.legend.classes, (0, 2, 1)), BadRequest),
        (lambda s: set_legend(s, 1, 2, (LandCover(0, "sea", "blue"), *s.legend.classes[1:]), (0, 1, 2)), BadRequest),
    ],
)
def test_what_fails_has_changed_nothing(session, change, error: type) -> None:
    before, legend = painted(session), session.legend
    with pytest.raises(error):
        change(session)
    assert (session.log.revision, session.weights.current.name, session.legend) == (1, "", legend)
    np.testing.assert_array_equal(painted(session), before)


def learnt_at(session: Session, base: int) -> None:
    list(learn(session, base, 2, QUICK))


def test_nothing_is_learnt_where_nothing_is_marked(session) -> None:
    session.replace((), 2)
    with pytest.raises(BadRequest, match="nothing"):
        learnt(session)


def test_a_forest_that_knows_nothing_learns_from_marks_alone(make_session) -> None:
    image = np.zeros((3, *SIZE.shape), np.uint8)
    for band in range(3):
        image[band, :, 40 * band : 40 * band + 50] = 200
    predictor = load_predictor(ZOO / "pixels")
    session = make_session(image, predictor=predictor)
    marks = [Annotation(str(i), "stroke", ((15.5 + 43 * i, 5.5), (15.5 + 43 * i, 95.5)), i, 5.0) for i in range(3)]
    session.replace(tuple(marks), 1)
    reply = learnt(session, LearnOptions("head"))
    assert reply.right_after == 1.0
    session.replace((), 3)
    assert [painted(session)[0, 50, 15 + 43 * i] for i in range(3)] == [0, 1, 2]


def test_a_lesson_waits_while_another_request_has_its_turn() -> None:
    steps: list[int] = []

    def counting(stopped, report) -> int:
        for step in range(3):
            steps.append(step)
            report(step, 3)
        return len(steps)

    lesson = learning._reported(counting, Work())
    assert next(lesson).done == 0
    time.sleep(0.3)
    assert steps == [0]
    assert [progress.done for progress in lesson] == [1, 2]


def test_a_lesson_that_nobody_listens_to_any_more_ends() -> None:
    ended = threading.Event()

    def endless(stopped, report) -> None:
        while not stopped():
            report(0, 1)
        ended.set()

    lesson = learning._reported(endless, Work())
    next(lesson)
    lesson.close()
    assert ended.is_set()


def test_a_cancelled_lesson_has_changed_nothing(session) -> None:
    before = painted(session)
    stop = threading.Event()
    steps = learn(session, 1, 2, LearnOptions("decoder", steps=1000), Work(stop.is_set))
    assert next(steps).total == 1000
    stop.set()
    with pytest.raises(Cancelled):
        list(steps)
    assert session.log.revision == 1
    np.testing.assert_array_equal(painted(session), before)


def test_a_lesson_that_ends_in_nonsense_has_changed_nothing(session) -> None:
    with pytest.raises(BadRequest, match="nonsense"):
        learnt(session, LearnOptions("decoder", steps=6, rate=1e30))
    assert (session.log.revision, session.weights.current.name) == (1, "")


def test_a_lesson_that_nobody_waits_for_ends(session) -> None:
    steps = learn(session, 1, 2, LearnOptions("decoder", steps=1000))
    next(steps)
    steps.close()
    assert session.log.revision == 1


def test_progress_counts_the_steps(session) -> None:
    progress = [item for item in learn(session, 1, 2, QUICK) if isinstance(item, Progress)]
    assert {item.stage for item in progress} == {"learn"}
    assert (progress[-1].done, progress[-1].total) == (2, 2)


def test_every_mark_is_in_a_window_that_is_learnt_from_and_none_is_there_for_nothing(session) -> None:
    windows = windows_of(session)
    assert len(windows) == 3  # of the twelve tiles, six of which see a mark
    for x, y in [(20, 20), (100, 50), (70, 80)]:
        assert any(contains(tile, Window(x, y, 1, 1)) for tile in windows)


def test_of_many_windows_those_of_the_newest_marks_are_learnt_from(session, monkeypatch) -> None:
    monkeypatch.setattr(learning, "MOST_WINDOWS", 1)
    (window,) = windows_of(session)
    assert contains(window, Window(70, 80, 1, 1))


@pytest.mark.parametrize("scale", [0.4, 3.0])
def test_at_another_gsd_marks_are_learnt_from_where_they_lie(make_session, noise, network, spec, scale: float) -> None:
    session = make_session(noise(100, 130), gsd_m=0.5 * scale, predictor=Predictor(spec, network))
    session.replace(MARKS, 1)
    (tile,) = [tile for tile in windows_of(session) if (learning._marked(session, tile) == 2).any()][:1]
    ((row, col),) = np.argwhere(learning._marked(session, tile) == 2)
    assert (col + tile.col, row + tile.row) == (int(70.5 * scale), int(80.5 * scale))
    assert 0.0 <= learnt(session).right_before <= 1.0


def test_marks_without_data_under_them_are_no_lesson(make_session, noise, network, spec) -> None:
    valid = np.zeros(SIZE.shape, bool)
    valid[:10, :10] = True
    session = make_session(noise(*SIZE.shape), valid, predictor=Predictor(spec, network))
    log = AnnotationLog()
    session.change(log.add(Annotation("a", "point", ((50.5, 50.5),), 0)))
    with pytest.raises(BadRequest):
        learnt(session)
