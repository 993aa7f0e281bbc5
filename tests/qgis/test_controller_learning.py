"""The controller's events of learning and of legends. No window, no socket, no file."""

from __future__ import annotations

import pytest

from terrafine.qgis_plugin.controller import Controller
from terrafine.qgis_plugin.effects import (
    Ask,
    KeepMap,
    ShowNetwork,
    StoreMarks,
    Tell,
)
from terrafine.qgis_plugin.learn import networks
from terrafine.qgis_plugin.requests import REMOVED, Learn, Legend, Network, Predict, SaveModel
from terrafine.qgis_plugin.state import Kind
from terrafine.shared.errors import Cancelled, NotFound
from terrafine.shared.geo import Window
from terrafine.shared.learning import LearnOptions
from terrafine.shared.messages import Advice, Learnt
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation
from terrafine.tests.qgis.controllers import AREA, CLASSES, MODEL, RASTER, asked, finish, kinds, mark, with_a_map

pytestmark = pytest.mark.qgis


@pytest.fixture
def mapped():
    return with_a_map()


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
