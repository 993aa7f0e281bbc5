"""The controller's events of advice, and of looking where it matters. No window, no socket, no file."""

from __future__ import annotations

import pytest

from terrafine.qgis_plugin.effects import (
    Ask,
    GoTo,
    ShowMap,
    ShowReview,
    ShowUncertainty,
)
from terrafine.qgis_plugin.look.review import Fate
from terrafine.qgis_plugin.requests import Advise, Predict, RankPatches
from terrafine.shared.errors import TerrafineError
from terrafine.shared.geo import Window
from terrafine.shared.learning import RankedPatch, RankOptions
from terrafine.shared.messages import Advice
from terrafine.tests.qgis.controllers import AREA, LEFT, RIGHT, asked, finish, kinds, mark, patch, with_a_map

pytestmark = pytest.mark.qgis
RANKING = (RankedPatch(RIGHT, 0.8), RankedPatch(LEFT, 0.3))


@pytest.fixture
def mapped():
    return with_a_map()


def test_after_a_mark_the_server_is_asked_for_advice_that_the_dock_shows(mapped):
    mark(mapped)
    request = asked(finish(mapped))
    assert isinstance(request, Advise)
    assert request.since == 0
    assert mapped.view().work is None  # nobody waits for it
    advice = Advice("learn", "Large and unsure.", 4000, 0.3)
    mapped.advised(request.job, advice)
    assert mapped.view().advice == advice


def test_a_mark_overtakes_the_advice_on_the_one_before(mapped):
    mark(mapped)
    request = asked(finish(mapped))
    assert isinstance(asked(mark(mapped, 9.5)), Predict)
    assert mapped.advised(request.job, Advice("mark", "", 0, 1.0)) == []


def test_advice_goes_with_the_mark_that_it_was_about(mapped):
    mark(mapped)
    request = asked(finish(mapped))
    mapped.advised(request.job, Advice("learn", "Large and unsure.", 4000, 0.3))
    mapped.undo()
    assert mapped.view().advice is None
    assert Ask not in kinds(finish(mapped))  # none is asked for where nothing was marked


def test_advice_that_fails_is_no_matter(mapped):
    mark(mapped)
    request = asked(finish(mapped))
    assert mapped.failed(request.job, TerrafineError("internal")) == []
    assert mapped.work is None


def test_uncertainty_is_shown_patch_by_patch(mapped):
    request = asked(mapped.measure(AREA, "margin", 4))
    shown = mapped.measured(request.job, patch(Window(0, 0, 25, 12)))
    assert [(type(effect), effect.method, effect.factor) for effect in shown] == [(ShowUncertainty, "margin", 4)]
    assert kinds(mapped.done(request.job)) == [ShowMap]


def test_a_review_begins_at_the_patch_that_is_ranked_first(mapped):
    request = asked(mapped.review(AREA, RankOptions(size_px=50)))
    assert isinstance(request, RankPatches)
    effects = mapped.ranked(request.job, RANKING)
    assert kinds(effects) == [ShowReview, GoTo]
    assert effects[1].window == RIGHT


@pytest.fixture
def reviewing(mapped):
    request = asked(mapped.review(AREA, RankOptions(size_px=50)))
    mapped.ranked(request.job, RANKING)
    return mapped


def test_next_goes_round_and_done_patches_are_left_out(reviewing):
    assert reviewing.next_patch()[1].window == LEFT
    assert reviewing.next_patch()[1].window == RIGHT
    assert reviewing.end_patch(Fate.DONE)[1].window == LEFT
    assert reviewing.view().review.reviewed == 0.5
    assert kinds(reviewing.end_patch(Fate.SKIPPED)) == [ShowReview]
    assert reviewing.view().review.reviewed == 0.5
    assert reviewing.view().review.current is None


def test_the_ranking_follows_the_marks_and_the_user_stays(reviewing):
    reviewing.end_patch(Fate.DONE)
    mark(reviewing)
    advise = asked(finish(reviewing))
    rank = asked(reviewing.advised(advise.job, Advice("mark", "", 1, 1.0)))
    assert isinstance(rank, RankPatches)
    assert rank.now.revision == 1
    effects = reviewing.ranked(rank.job, RANKING[::-1])
    assert kinds(effects) == [ShowReview]
    review = reviewing.view().review
    assert [query.fate for query in review.patches] == [Fate.OPEN, Fate.DONE]
    assert review.current == LEFT


def test_a_patch_that_is_done_is_not_lost_when_a_ranking_leaves_it_out(reviewing):
    reviewing.end_patch(Fate.DONE)
    review = reviewing.session.review.ranked(RANKING[1:], 5)
    assert [(query.window, query.fate) for query in review.patches] == [(LEFT, Fate.OPEN), (RIGHT, Fate.DONE)]
