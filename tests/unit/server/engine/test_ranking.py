from __future__ import annotations

import numpy as np
import pytest
import torch

from terrafine.models.certainty.uncertainty import entropy
from terrafine.server.engine import ranking
from terrafine.server.engine.ranking import patches_of, rank
from terrafine.server.engine.session import Session
from terrafine.server.engine.work import Work
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.errors import Cancelled, TooLarge
from terrafine.shared.geo import Window, slices
from terrafine.shared.learning import RankOptions
from terrafine.shared.messages import Progress

OPTIONS = RankOptions(size_px=64)


def ranked(session: Session, options: RankOptions = OPTIONS, window: Window | None = None):
    *_, last = rank(session, window or session.info.grid.window, options)
    return last.patches


@pytest.fixture
def uneven(noise):
    """An image that is less even in some patches than in others, and has no data in the last but one."""
    image = noise(150, 200)
    image[:, :, 64:128] = 100
    image[:, 64:128, :64] //= 2
    valid = np.ones((150, 200), bool)
    valid[128:, 128:192] = False
    return image, valid


def test_the_most_uncertain_patch_comes_first_and_border_patches_take_part(make_session, uneven) -> None:
    image, valid = uneven
    patches = ranked(make_session(image, valid))
    values = entropy(torch.from_numpy(image / np.float32(255)).half().float()).numpy()
    assert len(patches) == 3 * 4 - 1
    assert {patch.window for patch in patches} >= {Window(192, 0, 8, 64), Window(192, 128, 8, 22)}
    for patch in patches:
        rows, cols = slices(patch.window, Window(0, 0, 200, 150))
        assert patch.score == pytest.approx(values[rows, cols][valid[rows, cols]].mean(), abs=1e-4)
    scores = [patch.score for patch in patches]
    assert scores == sorted(scores, reverse=True)


def test_a_patch_without_any_data_is_left_out_in_every_order(make_session, uneven) -> None:
    session = make_session(*uneven)
    for order in ("uncertainty", "random", "reading"):
        assert Window(128, 128, 64, 22) not in {p.window for p in ranked(session, RankOptions(order, size_px=64))}


def test_reading_order_goes_row_by_row_and_scores_nothing(make_session, noise) -> None:
    session = make_session(noise(150, 200))
    patches = ranked(session, RankOptions("reading", size_px=64))
    assert [patch.window for patch in patches] == patches_of(session, session.info.grid.window, 64)
    assert {patch.score for patch in patches} == {0.0}
    assert session.predictor.looked_at == 0


def test_random_order_follows_its_seed(make_session, noise) -> None:
    session = make_session(noise(150, 200))
    first, again, other = (ranked(session, RankOptions("random", size_px=64, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert sorted(patch.window for patch in first) == sorted(patch.window for patch in other)


def test_equal_patches_come_row_by_row(make_session) -> None:
    session = make_session(np.zeros((3, 150, 200), np.uint8))
    assert [patch.window for patch in ranked(session)] == patches_of(session, session.info.grid.window, 64)


def test_only_so_many_patches_are_named(make_session, noise) -> None:
    session = make_session(noise(150, 200))
    assert ranked(session, RankOptions(size_px=64, limit=3)) == ranked(session)[:3]


def test_an_area_gets_the_whole_patches_that_it_meets(make_session, noise) -> None:
    session = make_session(noise(150, 200))
    patches = ranked(session, window=Window(60, 70, 10, 10))
    assert sorted(patch.window for patch in patches) == [Window(0, 64, 64, 64), Window(64, 64, 64, 64)]
    everywhere = {patch.window: patch.score for patch in ranked(session)}
    assert all(everywhere[patch.window] == patch.score for patch in patches)


def test_an_area_outside_the_raster_has_no_patches(make_session, noise) -> None:
    assert ranked(make_session(noise(150, 200)), window=Window(500, 70, 10, 10)) == ()


def test_after_a_mark_only_the_patches_of_its_tiles_are_measured_again(make_session, noise, monkeypatch) -> None:
    session, measured = make_session(noise(300, 300)), []
    mean = ranking._Scorer._mean
    monkeypatch.setattr(ranking._Scorer, "_mean", lambda self, patch: measured.append(patch) or mean(self, patch))
    before = {patch.window: patch.score for patch in ranked(session)}
    assert len(measured) == 25
    measured.clear()
    changed = session.change(AnnotationLog().add(Annotation("a", "point", ((80.5, 80.5),), 2)))
    after = {patch.window: patch.score for patch in ranked(session)}
    assert changed == Window(48, 48, 64, 64)
    assert sorted(measured) == [Window(c, r, 64, 64) for c in (0, 64) for r in (0, 64)]
    assert {window for window in after if after[window] != before[window]} == set(measured)


def test_what_was_measured_after_marks_came_and_went_is_measured_no_more(make_session, noise, monkeypatch) -> None:
    session, log = make_session(noise(150, 200)), AnnotationLog()
    before = ranked(session)
    session.change(log.add(Annotation("a", "point", ((80.5, 80.5),), 2)))
    ranked(session)
    session.change(log.undo())
    monkeypatch.setattr(ranking._Scorer, "_mean", lambda *_: pytest.fail("measured again"))
    assert ranked(session) == before


def test_a_large_patch_has_the_mean_of_all_its_pixels(make_session, noise) -> None:
    image = noise(40, 1300)
    (patch,) = ranked(make_session(image), RankOptions(size_px=2048))
    values = entropy(torch.from_numpy(image / np.float32(255)).half().float()).numpy()
    assert patch.score == pytest.approx(values.mean(), abs=1e-4)


def test_too_many_patches_are_refused_before_any_is_made(make_session, noise, monkeypatch) -> None:
    monkeypatch.setattr(ranking, "MOST_RANKED", 11)
    with pytest.raises(TooLarge, match="12 patches"):
        ranked(make_session(noise(150, 200)))


def test_ranking_stops_when_it_is_cancelled(make_session, noise) -> None:
    session = make_session(noise(300, 300))
    answers = iter([False] * 10 + [True] * 1000)
    with pytest.raises(Cancelled):
        list(rank(session, session.info.grid.window, OPTIONS, Work(lambda: next(answers))))
    assert 0 < session.predictor.looked_at < 10


def test_progress_counts_patches(make_session, noise) -> None:
    session = make_session(noise(60, 200))
    progress = [item for item in rank(session, session.info.grid.window, OPTIONS) if isinstance(item, Progress)]
    assert [(item.done, item.total, item.stage) for item in progress] == [(done, 4, "rank") for done in range(5)]
