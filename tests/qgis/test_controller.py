"""The controller alone: events in, effects out. Nothing here has a window, a socket or a file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from terrafine.qgis_plugin.controller import Controller
from terrafine.qgis_plugin.effects import (
    Ask,
    CancelWork,
    Connect,
    CreateLayers,
    Disconnect,
    ShowMap,
    ShowPatch,
    StartServer,
    StoreLocks,
    StoreMarks,
    Tell,
)
from terrafine.qgis_plugin.link.mirror import difference
from terrafine.qgis_plugin.link.servers import Server
from terrafine.qgis_plugin.state import Kind, Link
from terrafine.shared.annotation import AnnotationLog
from terrafine.shared.errors import Cancelled, ConnectionFailed, TerrafineError, UnusableRaster
from terrafine.shared.geo import Window
from terrafine.shared.messages import Progress
from terrafine.tests.qgis.controllers import INFO, LEFT, MODEL, RASTER, finish, kinds, patch

pytestmark = pytest.mark.qgis


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def online(clock):
    controller = Controller(clock)
    controller.connect(Server("tcp://somewhere:1"))
    controller.connected("cpu", (MODEL,))
    return controller


@pytest.fixture
def mapped(online):
    online.classify(RASTER, LEFT)
    finish(online)
    return online


def test_a_local_server_is_started_and_then_connected_to():
    controller = Controller()
    assert controller.start_server() == [StartServer()]
    assert controller.server_started("tcp://127.0.0.1:5") == [Connect(Server("tcp://127.0.0.1:5"))]
    controller.connected("cpu", (MODEL,))
    assert controller.link is Link.ONLINE
    assert controller.model is MODEL


def test_a_server_without_models_is_said():
    (effect,) = Controller().connected("cpu", ())
    assert isinstance(effect, Tell)


def test_classifying_offline_tells_what_to_do():
    (effect,) = Controller().classify(RASTER, LEFT)
    assert "Start a local server" in effect.hint


def test_an_empty_area_is_not_sent(online):
    assert kinds(online.classify(RASTER, Window(0, 0, 0, 5))) == [Tell]
    assert online.session is None


def test_layers_are_made_before_the_first_patch_is_shown(online):
    (asked,) = online.classify(RASTER, LEFT)
    assert asked.request.shown is None
    assert kinds(finish(online)) == [CreateLayers, ShowPatch, ShowMap]


def test_a_session_begins_when_its_layers_are_made(online):
    online.classify(RASTER, LEFT)
    assert online.described(online.work.job, INFO) == [CreateLayers()]
    assert not online.view().has_session
    assert online.made(online.session, None) == []
    assert online.view().has_session


def test_layers_that_cannot_be_made_end_the_work_and_the_session(online):
    online.classify(RASTER, LEFT)
    online.described(online.work.job, INFO)
    effects = online.made(online.session, TerrafineError("The disk is full.", "Make room."))
    assert effects == [CancelWork(), Tell("The disk is full.", "Make room.")]
    assert online.session is None
    assert online.work is None


def test_layers_that_cannot_be_made_of_an_earlier_session_are_nobody_s_business(online):
    online.classify(RASTER, LEFT)
    online.described(online.work.job, INFO)
    earlier, online.session = online.session, None
    online.classify(RASTER, LEFT)
    assert online.made(earlier, TerrafineError("The disk is full.")) == []
    assert online.work is not None


def test_a_second_area_on_the_same_raster_is_the_same_session(mapped):
    session = mapped.session
    mapped.classify(RASTER, Window(50, 50, 10, 10))
    assert kinds(finish(mapped)) == [ShowPatch, ShowMap]
    assert mapped.session is session
    assert session.mapped == Window(0, 0, 60, 60)


def test_a_mark_is_stored_before_it_is_sent(mapped):
    effects = mapped.draw("point", ((3.5, 4.5),))
    assert kinds(effects) == [StoreMarks, Ask]
    assert effects[1].request.window == LEFT
    assert effects[1].request.shown.revision == 0
    assert effects[1].request.now.revision == 1


def test_a_mark_has_the_current_class(mapped):
    mapped.choose_class(1)
    mapped.draw("point", ((3.5, 4.5),))
    assert mapped.session.log.marks[0].class_id == 1


def test_a_class_that_the_legend_lacks_becomes_the_first(mapped):
    mapped.choose_class(7)
    assert mapped.class_id == 0


def test_a_mark_overtakes_the_refinement_before_it_and_stale_patches_are_dropped(mapped):
    mapped.draw("point", ((3.5, 4.5),))
    overtaken = mapped.work.job
    (_, asked) = mapped.draw("point", ((9.5, 9.5),))
    assert asked.request.job != overtaken
    assert asked.request.shown.revision == 0  # the map still shows none of the marks for sure
    assert mapped.patched(overtaken, patch()) == []
    assert mapped.done(overtaken) == []
    assert kinds(finish(mapped)) == [ShowPatch, ShowMap, Ask]
    assert mapped.work.kind is Kind.ADVISING
    assert not mapped.session.is_behind


def test_marks_wait_while_an_area_is_classified_and_follow_then(mapped):
    mapped.classify(RASTER, LEFT)
    assert kinds(mapped.draw("point", ((3.5, 4.5),))) == [StoreMarks]
    effects = finish(mapped)
    assert kinds(effects) == [ShowPatch, ShowMap, Ask]
    assert mapped.work.kind is Kind.REFINING


def test_an_area_classified_with_newer_marks_leaves_the_rest_of_the_map_behind(mapped):
    mapped.set_live(False)
    mapped.draw("point", ((3.5, 4.5),))
    mapped.classify(RASTER, Window(60, 0, 10, 10))
    finish(mapped)
    assert mapped.session.is_behind
    assert mapped.refresh()[0].request.window == Window(0, 0, 70, 50)


def test_without_live_refresh_nothing_is_sent_until_it_is_asked_for(mapped):
    mapped.set_live(False)
    assert kinds(mapped.draw("point", ((3.5, 4.5),))) == [StoreMarks]
    assert kinds(mapped.refresh()) == [Ask]


def test_undo_and_redo_are_stored_and_sent(mapped):
    mapped.draw("point", ((3.5, 4.5),))
    finish(mapped)
    assert kinds(mapped.undo()) == [StoreMarks, Ask]
    finish(mapped)
    assert mapped.session.log.marks == ()
    assert kinds(mapped.redo()) == [StoreMarks, Ask]
    assert len(mapped.session.log.marks) == 1


def test_a_lock_is_stored_and_needs_no_server(mapped):
    mapped.connection_failed(ConnectionFailed("gone"))
    assert kinds(mapped.lock(((1.0, 1.0), (9.0, 1.0), (9.0, 9.0)))) == [StoreLocks]
    assert not mapped.session.is_behind


def test_what_is_unlocked_is_computed_again_whatever_has_changed_there(mapped):
    mapped.lock(((1.0, 1.0), (9.0, 1.0), (9.0, 9.0)))
    (region,) = mapped.session.locks.marks
    store, asked = mapped.unlock((region.id,))
    assert isinstance(store, StoreLocks)
    assert (asked.request.window, asked.request.shown) == (Window(1, 1, 9, 9), None)
    finish(mapped)
    assert not mapped.session.is_behind


def test_a_mark_drawn_while_a_region_is_computed_again_follows_after_it(mapped):
    mapped.lock(((1.0, 1.0), (9.0, 1.0), (9.0, 9.0)))
    mapped.undo()
    effects = mapped.draw("point", ((3.5, 4.5),))
    assert effects[1].request.shown is None  # the region, once more
    refinement = finish(mapped)[-1].request
    assert (refinement.window, refinement.shown.revision) == (LEFT, 0)
    finish(mapped)
    assert not mapped.session.is_behind


def test_undo_of_nothing_does_nothing(mapped):
    assert mapped.undo() == []
    assert mapped.redo() == []


def test_cancelling_asks_once_and_ends_quietly(mapped):
    mapped.classify(RASTER, LEFT)
    assert mapped.cancel() == [CancelWork()]
    assert mapped.cancel() == []
    assert mapped.failed(mapped.work.job, Cancelled("stopped")) == [ShowMap()]
    assert mapped.work is None


def test_a_mark_drawn_while_cancelling_is_sent_when_that_is_over(mapped):
    mapped.draw("point", ((3.5, 4.5),))
    mapped.cancel()
    assert kinds(mapped.draw("point", ((9.5, 9.5),))) == [StoreMarks]
    assert kinds(mapped.failed(mapped.work.job, Cancelled("stopped"))) == [ShowMap, Ask]


def test_a_raster_that_cannot_be_used_leaves_no_session(online):
    online.classify(RASTER, LEFT)
    (effect,) = online.failed(online.work.job, UnusableRaster("It is complex.", "Convert it."))
    assert (effect.message, effect.hint) == ("It is complex.", "Convert it.")
    assert online.session is None


def test_a_lost_server_ends_the_work_and_keeps_the_marks(mapped):
    mapped.draw("point", ((3.5, 4.5),))
    effects = mapped.failed(mapped.work.job, ConnectionFailed("gone", "start it"))
    assert kinds(effects) == [Disconnect, ShowMap, Tell]
    assert mapped.link is Link.LOST
    assert mapped.work is None
    assert len(mapped.session.log.marks) == 1


def test_a_loss_is_told_once(mapped):
    mapped.connection_failed(ConnectionFailed("gone"))
    assert mapped.connection_failed(ConnectionFailed("gone again")) == []


def test_marks_of_the_time_without_a_server_are_sent_on_reconnecting(mapped):
    mapped.connection_failed(ConnectionFailed("gone"))
    assert kinds(mapped.draw("point", ((3.5, 4.5),))) == [StoreMarks]
    effects = mapped.connected("cpu", (MODEL,))
    assert kinds(effects) == [Ask]
    assert effects[0].request.shown.revision == 0
    assert effects[0].request.now.revision == 1


def test_a_session_s_model_stays_when_another_server_lacks_it(mapped):
    other = replace(MODEL, name="other")
    mapped.connection_failed(ConnectionFailed("gone"))
    mapped.connected("cpu", (other,))
    assert mapped.model is MODEL


def test_another_session_stops_the_work_of_this_one(mapped):
    mapped.classify(RASTER, LEFT)
    assert CancelWork() in mapped.activate(None)
    assert mapped.work is None
    assert mapped.session is None


def test_the_time_of_a_click_counts_from_the_click(mapped, clock):
    clock.now = 10.0
    mapped.draw("point", ((3.5, 4.5),))
    clock.now = 10.5
    finish(mapped)
    assert mapped.view().seconds == pytest.approx(0.5)


def test_progress_of_overtaken_work_is_not_shown(mapped):
    mapped.draw("point", ((3.5, 4.5),))
    overtaken = mapped.work.job
    mapped.draw("point", ((9.5, 9.5),))
    mapped.progressed(overtaken, Progress(3, 4))
    assert mapped.work.progress is None


def test_the_difference_of_two_sets_of_marks_turns_one_into_the_other(mapped):
    mapped.draw("point", ((3.5, 4.5),))
    before = mapped.session.now
    mapped.erase((before.marks[0].id,))
    mapped.draw("point", ((9.5, 9.5),))
    after = mapped.session.now
    delta = difference(before, after)
    assert (delta.base, delta.revision) == (1, 3)
    log = AnnotationLog()
    log.replace(before.marks, before.revision)
    log.apply(delta)
    assert (log.marks, log.revision) == (after.marks, after.revision)


def test_the_difference_puts_a_mark_back_at_its_place(mapped):
    mapped.draw("point", ((3.5, 4.5),))
    mapped.draw("point", ((9.5, 9.5),))
    first, second = mapped.session.log.marks
    mapped.erase((first.id,))
    before = mapped.session.now
    mapped.undo()
    assert difference(before, mapped.session.now).places == (0,)


def test_there_is_no_difference_back_to_an_older_revision(mapped):
    before = mapped.session.now
    mapped.draw("point", ((3.5, 4.5),))
    assert difference(mapped.session.now, before) is None
