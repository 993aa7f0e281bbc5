from __future__ import annotations

import numpy as np
import pytest
import torch

from terrafine.models.certainty.uncertainty import entropy
from terrafine.models.learning import advice
from terrafine.server.engine import advising
from terrafine.server.engine.advising import advise, area_of
from terrafine.server.engine.session import Session
from terrafine.server.engine.work import Work
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.errors import Cancelled, NotFound
from terrafine.shared.geo import Window, contains
from terrafine.shared.messages import Advice, Progress

FIRST = Annotation("a", "point", ((20.5, 20.5),), 0)
SECOND = Annotation("b", "point", ((80.5, 80.5),), 2)


def advised(session: Session, since: int) -> Advice:
    *_, last = advise(session, since)
    return last


@pytest.fixture
def session(make_session) -> Session:
    """All of class 1, for the tests' network, which follows a mark 4 pixels around it."""
    image = np.zeros((3, 150, 200), np.uint8)
    image[1] = 250
    session = make_session(image)
    log = AnnotationLog()
    for mark in (FIRST, SECOND):
        session.change(log.add(mark))
    return session


def test_it_compares_the_map_with_the_map_without_the_new_marks(session, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(advice, "advise", lambda *given: seen.append(given) or advice.Advised("learn", "why", 7, 0.5))
    assert advised(session, 1) == Advice("learn", "why", 7, 0.5)
    (before, after, uncertainty, marked, valid, scale), area = seen[0], area_of(session, 1)
    assert area == Window(48, 48, 64, 64)
    assert (before == 1).all()
    assert after[80 - 48, 80 - 48] == 2
    assert np.argwhere(marked >= 0).tolist() == [[80 - 48, 80 - 48]]
    assert marked.max() == 2
    assert valid.all()
    assert scale == 1.0
    assert uncertainty[0, 0] == pytest.approx(
        float(entropy(torch.tensor([0, 250 / 255, 0])[:, None, None])[0, 0]), abs=0.02
    )


def test_what_changed_is_counted_in_pixels_of_the_raster(session) -> None:
    offsets = np.arange(-4, 5)
    disk = 10 * (1 - np.hypot(offsets, offsets[:, None]) / 4) > 250 / 255  # where a mark of another class prevails
    assert advised(session, 1).changed_px == disk.sum()
    assert advised(session, 0).changed_px == 2 * disk.sum()


def test_without_a_new_mark_there_is_nothing_to_learn_from(session) -> None:
    assert advised(session, 2) == Advice("mark", "Nothing was marked since then.", 0, 1.0)
    assert session.predictor.decoded == 0


def test_a_revision_that_is_not_remembered_is_not_found(session) -> None:
    with pytest.raises(NotFound):
        advised(session, 9)


def test_of_marks_far_apart_the_newest_is_looked_at(session, monkeypatch) -> None:
    monkeypatch.setattr(advising, "REACH_PX", 10)
    assert area_of(session, 0) == Window(70, 70, 21, 21)
    assert contains(area_of(session, 0), Window(80, 80, 1, 1))


def test_pixels_without_data_count_for_nothing(make_session) -> None:
    image, valid = np.full((3, 150, 200), 9, np.uint8), np.zeros((150, 200), bool)
    valid[:60] = True
    session = make_session(image, valid)
    session.change(AnnotationLog().add(SECOND))
    assert advised(session, 0).changed_px <= valid[48:112, 48:112].sum()


def test_it_stops_when_it_is_cancelled(session) -> None:
    with pytest.raises(Cancelled):
        list(advise(session, 0, Work(lambda: True)))


def test_progress_counts_pieces(session) -> None:
    assert [item.done for item in advise(session, 0) if isinstance(item, Progress)] == [0, 1]
