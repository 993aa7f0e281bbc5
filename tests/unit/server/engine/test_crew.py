"""Threads beside each other: what they return, what becomes of errors, and that maps do not depend on them."""

from __future__ import annotations

import threading
from functools import partial

import numpy as np
import pytest
import torch

from terrafine.models.infer import Predictor
from terrafine.models.registry import build
from terrafine.server.engine import crew
from terrafine.server.engine.engine import predict
from terrafine.server.engine.work import Work
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.errors import Cancelled
from terrafine.shared.geo import slices
from terrafine.shared.patch import Patch


def classified(session, onto: np.ndarray | None = None, **options) -> np.ndarray:
    raster = session.info.grid.window
    out = np.zeros((2, *raster.shape), np.uint8) if onto is None else onto.copy()
    for item in predict(session, raster, method="entropy", **options):
        if isinstance(item, Patch):
            out[(slice(None), *slices(item.window, raster))] = item.array
    return out


@pytest.mark.usefixtures("two_threads")
def test_two_calls_run_at_once_each_with_one_thread_of_its_own() -> None:
    meeting = threading.Barrier(2)

    def call(number: int) -> tuple[int, int]:
        meeting.wait(20)  # alone it would wait for ever
        return number, torch.get_num_threads()

    assert crew.side_by_side([partial(call, 0), partial(call, 1)]) == [(0, 1), (1, 1)]
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_a_call_alone_has_all_threads_unless_it_must_be_as_it_is_beside_others() -> None:
    calls = [torch.get_num_threads]
    assert (crew.side_by_side(calls), crew.side_by_side(calls, spread=False)) == ([2], [1])


@pytest.mark.usefixtures("two_threads")
def test_threads_to_come_are_told_how_many_there_are() -> None:
    crew.side_by_side([torch.get_num_threads] * 2)
    found = []
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert found == [2]


@pytest.mark.usefixtures("two_threads")
def test_the_first_error_is_raised_once_all_calls_have_ended() -> None:
    ended = []

    def fail(text: str) -> None:
        raise ValueError(text)

    with pytest.raises(ValueError, match="early"):
        crew.side_by_side([partial(fail, "early"), partial(fail, "late"), partial(ended.append, 1)])
    assert ended == [1]


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("agreed", [True, False])
def test_a_refreshed_map_is_the_map_of_one_thread_from_scratch(make_session, noise, spec, agreed: bool) -> None:
    network, mark = build(spec), Annotation("a", "point", ((60.5, 70.5),), 2)
    predictor = Predictor(spec, network)
    vars(predictor)["is_same_in_threads"] = agreed
    session = make_session(noise(150, 130), predictor=predictor)
    before = classified(session)
    session.change(AnnotationLog().add(mark))
    after = classified(session, before, changed_since=0)
    torch.set_num_threads(1)
    fresh = make_session(noise(150, 130), predictor=Predictor(spec, network))
    fresh.replace((mark,), 1)
    np.testing.assert_array_equal(after, classified(fresh))


@pytest.mark.usefixtures("two_threads")
def test_no_tile_is_made_twice(make_session, noise) -> None:
    session = make_session(noise(300, 300))
    classified(session)
    assert (
        session.predictor.decoded == session.predictor.looked_at == len(session.tiling.grid.plan(session.tiling.raster))
    )


@pytest.mark.usefixtures("two_threads")
def test_a_stopped_map_ends_within_a_batch(make_session, noise) -> None:
    session, stop = make_session(noise(300, 300)), threading.Event()
    replies = predict(session, session.info.grid.window, work=Work(stop.is_set))
    next(item for item in replies if isinstance(item, Patch))
    made = session.predictor.decoded
    assert made == 2  # one batch, and nothing goes on behind it
    stop.set()
    with pytest.raises(Cancelled):
        list(replies)
    assert session.predictor.decoded == made


def test_a_network_finds_out_whether_threads_change_its_bits(spec, monkeypatch) -> None:
    predictor = Predictor(spec, build(spec))
    assert predictor.successor(build(spec)).is_same_in_threads in (True, False)
    monkeypatch.setattr(predictor, "_of_noise", lambda: np.full(3, torch.get_num_threads()))
    torch.set_num_threads(2)
    try:
        assert not predictor.is_same_in_threads
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert not predictor.successor(build(spec)).is_same_in_threads


def test_seconds_of_threads_at_once_are_shared_out(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    work = Work()
    first, second = work.stage("decode"), work.stage("blend")
    first.__enter__()
    now[0] = 4.0
    second.__enter__()
    now[0] = 6.0
    first.__exit__(None, None, None)
    now[0] = 7.0
    second.__exit__(None, None, None)
    assert work.seconds() == {"decode": 5.0, "blend": 2.0, "total": 7.0}


@pytest.mark.usefixtures("two_threads")
def test_what_is_too_much_at_once_is_made_in_smaller_batches_and_the_map_is_the_same(make_session, noise) -> None:
    """The machine has room for one tile at a time."""
    session, room, refused = make_session(noise(300, 300)), threading.Lock(), threading.Event()
    features = session.predictor.features

    def cramped(images: np.ndarray) -> list:
        if not room.acquire(blocking=False):
            refused.set()
            raise MemoryError
        try:
            refused.wait(1.0)
            return features(images)
        finally:
            room.release()

    session.predictor.features = cramped
    np.testing.assert_array_equal(classified(session), classified(make_session(noise(300, 300))))
    assert refused.is_set()
