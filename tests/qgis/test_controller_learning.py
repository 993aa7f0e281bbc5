"""The controller's events of learning, legends and looking where it matters. No window, no socket, no file."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import QgsCoordinateReferenceSystem

from terrafine.qgis_plugin.controller import Controller
from terrafine.qgis_plugin.effects import (
    Ask,
    GoTo,
    KeepMap,
    ShowMap,
    ShowNetwork,
    ShowReview,
    ShowUncertainty,
    StoreMarks,
    Tell,
)
from terrafine.qgis_plugin.learn import networks
from terrafine.qgis_plugin.link.servers import Server
from terrafine.qgis_plugin.look.review import Fate
from terrafine.qgis_plugin.rasters.raster import RasterFile
from terrafine.qgis_plugin.requests import REMOVED, Advise, Learn, Legend, Network, Predict, RankPatches, SaveModel
from terrafine.qgis_plugin.state import Kind
from terrafine.shared.errors import Cancelled, NotFound, TerrafineError
from terrafine.shared.geo import Grid, Window
from terrafine.shared.learning import LearnOptions, RankedPatch, RankOptions
from terrafine.shared.messages import Advice, Learnt
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

pytestmark = pytest.mark.qgis
CLASSES = tuple(LandCover(i, name, f"#0000{i:02x}") for i, name in enumerate(("water", "land", "tree")))
MODEL = ModelSpec("m", "M", "linknet", "e", ("red",), CLASSES, 1.0, Normalisation((0.5,), (0.5,)))
RASTER = RasterFile("scene.tif", "scene", QgsCoordinateReferenceSystem())
INFO = RasterInfo(Grid(100, 100), "uint8", (1,), ((0.0, 255.0),))
AREA, LEFT, RIGHT = Window(0, 0, 100, 50), Window(0, 0, 50, 50), Window(50, 0, 50, 50)
RANKING = (RankedPatch(RIGHT, 0.8), RankedPatch(LEFT, 0.3))


def patch(window: Window = AREA) -> Patch:
    return Patch(window, np.zeros((1, *window.shape), np.uint8), np.ones(window.shape, bool))


def finish(controller: Controller) -> list:
    """The server sends the map that was asked for."""
    work = controller.work
    effects = controller.described(work.job, INFO)
    effects += controller.patched(work.job, patch(work.window))
    return effects + controller.done(work.job)


def kinds(effects: list) -> list[type]:
    return [type(effect) for effect in effects]


def asked(effects: list):
    """The one request among the effects."""
    (request,) = (effect.request for effect in effects if isinstance(effect, Ask))
    return request


def mark(controller: Controller, x: float = 3.5) -> list:
    return controller.draw("point", ((x, 4.5),))


@pytest.fixture
def mapped():
    controller = Controller()
    controller.connect(Server("tcp://somewhere:1"))
    controller.connected("cpu", (MODEL,))
    controller.classify(RASTER, AREA)
    finish(controller)
    return controller


@pytest.fixture
def marked(mapped):
    mark(mapped)
    finish(mapped)
    mapped.advised(mapped.work.job, Advice("mark", "Small.", 10, 0.9))
    return mapped


def learn(controller: Controller, weights: str = "w1"):
    """Learning from the wish to the new map."""
    request = asked(controller.learn(LearnOptions("head")))
    effects = controller.learnt(request.job, Learnt(request.revision, weights, 0.5, 1.0, AREA))
    return effects + finish(controller)


def test_learning_is_asked_for_at_the_marks_of_now_and_leads_to_the_next_revision(marked):
    request = asked(marked.learn(LearnOptions("head")))
    assert isinstance(request, Learn)
    assert (request.now.revision, request.revision) == (1, 2)
    assert len(request.now.marks) == 1
    assert marked.work.kind is Kind.LEARNING


def test_learning_from_one_class_alone_is_done_with_a_caution(marked):
    assert kinds(marked.learn(LearnOptions())) == [Tell, Ask]
    marked.cancel()
    marked.failed(marked.work.job, Cancelled("stopped"))
    marked.choose_class(1)
    mark(marked, 9.5)
    assert kinds(marked.learn(LearnOptions())) == [Ask]


def test_there_is_nothing_to_learn_without_marks(mapped):
    assert kinds(mapped.learn(LearnOptions())) == [Tell]
    assert mapped.work is None


def test_what_was_learnt_is_shown_everywhere_and_kept(marked):
    effects = learn(marked)
    assert kinds(effects)[:3] == [KeepMap, ShowNetwork, Ask]
    request = effects[2].request
    assert request.now.network.weights == "w1"
    assert request.window == AREA
    assert request.shown.revision == 1
    assert not marked.session.is_behind
    assert marked.view().has_learnt


def test_what_the_user_sees_is_refreshed_first_and_then_the_rest(marked):
    marked.visible = lambda: Window(10, 0, 20, 200)
    request = asked(marked.learn(LearnOptions()))
    first = asked(marked.learnt(request.job, Learnt(2, "w1", 0.5, 1.0, AREA)))
    assert first.window == Window(10, 0, 20, 50)
    assert marked.session.is_behind
    then = asked(finish(marked))
    assert then.window == AREA
    finish(marked)
    assert not marked.session.is_behind


def test_marks_drawn_while_it_learns_wait_and_count_afterwards(marked):
    request = asked(marked.learn(LearnOptions()))
    assert kinds(mark(marked, 9.5)) == [StoreMarks]
    follow = asked(marked.learnt(request.job, Learnt(request.revision, "w1", 0.5, 1.0, AREA)))
    assert isinstance(follow, Predict)
    assert follow.now.revision == request.revision + 1
    assert (len(follow.now.marks), follow.now.network.weights) == (2, "w1")


def test_what_learning_did_is_known_until_it_is_undone(marked):
    learn(marked)
    assert (marked.view().lesson.right_before, marked.view().lesson.right_after) == (0.5, 1.0)
    marked.undo()
    assert marked.view().lesson is None
    marked.redo()
    assert marked.view().lesson is not None


def test_learning_that_was_cancelled_has_changed_nothing(marked):
    before = marked.session.history.network
    request = asked(marked.learn(LearnOptions()))
    marked.cancel()
    marked.failed(request.job, Cancelled("stopped"))
    assert marked.session.history.network == before
    assert not marked.view().has_learnt


def test_undo_takes_back_what_was_learnt_and_then_the_mark(marked):
    learn(marked)
    effects = marked.undo()
    assert kinds(effects) == [ShowNetwork, Ask]
    assert asked(effects).now.network.weights == ""
    finish(marked)
    assert kinds(marked.undo())[0] is StoreMarks
    assert marked.session.log.marks == ()
    marked.redo()
    assert asked(marked.redo()).now.network.weights == "w1"


def test_every_change_has_a_revision_of_its_own(marked):
    seen = [marked.session.log.revision]
    for step in (lambda: learn(marked), marked.undo, marked.redo, lambda: mark(marked, 8.5)):
        step()
        seen.append(marked.session.log.revision)
    assert seen == sorted(set(seen))


def test_weights_that_the_server_forgot_are_given_up_with_a_word(marked):
    learn(marked)
    mark(marked, 9.5)
    effects = marked.failed(marked.work.job, NotFound("no such weights"))
    assert Tell in kinds(effects)
    assert asked(effects).now.network.weights == ""
    assert len(marked.session.log.marks) == 2


def test_a_saved_model_is_offered_at_once(marked):
    learn(marked)
    marked.failed(marked.work.job, Cancelled("")) if marked.work else None
    request = asked(marked.save_model("mine", "Mine"))
    assert isinstance(request, SaveModel)
    mine = ModelSpec("mine", "Mine", "linknet", "e", ("red",), CLASSES, 1.0, Normalisation((0.5,), (0.5,)))
    marked.model_saved(request.job, mine, (MODEL, mine))
    assert [model.name for model in marked.view().models] == ["m", "mine"]


# ---- legends -------------------------------------------------------------------------------------------------------


def test_a_new_class_is_at_the_end_of_the_legend_and_drawn_with(mapped):
    request = asked(mapped.add_class("solar", "#123456"))
    assert [entry.name for entry in mapped.legend] == ["water", "land", "tree", "solar"]
    assert mapped.class_id == 3
    assert request.now.network.legend.becomes == (0, 1, 2, 3)


def test_own_classes_begin_a_session_of_their_own_and_go_to_the_server(mapped):
    own, before = (LandCover(0, "lake", "#000001"), LandCover(1, "tree", "#000002")), mapped.session
    mapped.start_with(own)
    assert mapped.legend == own
    request = asked(mapped.classify(RASTER, AREA))
    assert mapped.session is not before
    assert request.subject.classes == own
    assert mapped.session.history.network.legend == Legend(own, (0, 1))
    mapped.activate(before)
    assert mapped.session.subject.classes == ()
    assert mapped.legend == CLASSES


def test_undoing_a_new_class_keeps_its_id_for_the_server(mapped):
    mapped.add_class("solar", "#123456")
    request = asked(mapped.undo())
    assert request.now.network.legend.becomes == (0, 1, 2, REMOVED)
    assert [entry.name for entry in mapped.legend] == ["water", "land", "tree"]


def test_merged_and_removed_classes_leave_the_legend_and_ids_stay(mapped):
    mapped.merge_class(2, into=1)
    assert mapped.session.history.network.legend.becomes == (0, 1, 1)
    assert [entry.id for entry in mapped.legend] == [0, 1]
    assert kinds(mapped.remove_class(0)) == [Tell]  # one class alone is no legend
    mapped.undo()
    mapped.remove_class(0)
    assert [entry.id for entry in mapped.legend] == [1, 2]
    assert mapped.class_id == 1


def test_what_was_merged_goes_along_when_its_class_is_merged(mapped):
    mapped.add_class("solar", "#123456")
    mapped.merge_class(3, into=2)
    mapped.merge_class(2, into=1)
    assert mapped.session.history.network.legend.becomes == (0, 1, 1, 1)


def test_another_colour_is_a_step_that_can_be_undone(mapped):
    mapped.edit_class(0, "sea", "#000001")
    assert mapped.legend[0] == LandCover(0, "sea", "#000001")
    mapped.undo()
    assert mapped.legend[0] == CLASSES[0]


def test_the_project_remembers_the_network():
    network = Network("w3", Legend((*CLASSES, LandCover(3, "Überbau", "#0a0b0c")), (0, 1, 1, 3)))
    assert networks.loads(networks.dumps(network), MODEL) == network


EMPTY = '{"weights": "w", "legend": {"classes": [], "becomes": []}}'


@pytest.mark.parametrize("text", ["", "{", '{"weights": 3}', EMPTY])
def test_a_network_that_cannot_be_read_is_the_model_as_it_came(text):
    assert networks.loads(text, MODEL) == Network(legend=Legend.of(MODEL))


# ---- advice, uncertainty, review -----------------------------------------------------------------------------------


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
