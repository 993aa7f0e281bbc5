"""Learning in the dock, against a real server: seen in the map's file, the layers and the project."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from qgis.PyQt.QtCore import Qt

from terrafine.qgis_plugin.setup.place import default_place
from terrafine.qgis_plugin.state import Kind, Link
from terrafine.tests.qgis.analyst import until
from terrafine.tests.qgis.teaching import (
    NAMES,
    STRIPES,
    learn,
)
from terrafine.tests.qgis.test_keeping import kill_server

pytestmark = pytest.mark.qgis
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.mark.parametrize("scope", ["head", "decoder"])
def test_undo_brings_exactly_the_map_from_before_learning_back_and_redo_the_one_after(mapped, scope):
    combo = mapped.dock.learn.scope
    combo.setCurrentIndex(combo.findData(scope))
    combo.activated.emit(combo.currentIndex())
    for x in (30.5, 80.5, 120.5):
        mapped.mark(x, 40.5, (int(mapped.map()[40, int(x)]) + 1) % 3)
    before = mapped.map()
    learn(mapped)
    after = mapped.map()
    assert not np.array_equal(after, before)
    mapped.press(mapped.dock.marks.tools.undo)
    mapped.settle()
    assert np.array_equal(mapped.map(), before)
    assert len(mapped.marks) == 3
    mapped.key(Qt.Key.Key_Z, CONTROL | SHIFT)
    mapped.settle()
    assert np.array_equal(mapped.map(), after)
    assert np.array_equal(mapped.shown(), after)


def test_the_history_and_the_panel_say_what_learning_did(taught):
    steps = taught.dock.history.steps
    assert steps.item(steps.count() - 1).text().startswith("Learnt from the marks\n+")
    assert "So few marks do not tell" in taught.dock.learn.result.text()  # there are two
    assert not taught.dock.learn.invitation.isVisible()
    taught.press(taught.dock.marks.tools.undo)
    taught.settle()
    assert taught.dock.learn.invitation.isVisible()


def test_shares_of_marked_pixels_are_told_where_there_are_enough_marks(striped):
    for class_id, x in enumerate(STRIPES):
        for y in (20.5, 60.5):
            striped.mark(x, y, class_id)
    learn(striped)
    words = striped.dock.learn.result.text()
    assert f"{striped.controller.session.lesson.right_after:.0%}" in words
    assert "So few" not in words


def test_a_reset_goes_back_to_the_model_as_it_came_and_can_be_undone(taught):
    learnt = taught.map()
    taught.dock.learn.reset.trigger()
    taught.settle()
    assert not np.array_equal(taught.map(), learnt)
    assert not taught.dock.learn.reset.isEnabled()
    taught.key(Qt.Key.Key_Z, CONTROL)
    taught.settle()
    assert np.array_equal(taught.map(), learnt)


def test_cancelled_learning_changes_nothing(mapped):
    panel = mapped.dock.learn
    panel.scope.setCurrentIndex(panel.scope.findData("all"))
    panel.scope.activated.emit(panel.scope.currentIndex())
    mapped.mark(50.5, 40.5, (int(mapped.map()[40, 50]) + 1) % 3)
    before, network = mapped.map(), mapped.controller.session.history.network
    mapped.press(panel.learn)
    until(lambda: mapped.controller.work.progress is not None, "learning has begun")
    assert mapped.dock.status.text() == "Learning from your marks…"
    mapped.press(mapped.dock.map.cancel)
    mapped.settle()
    assert np.array_equal(mapped.map(), before)
    assert mapped.controller.session.history.network == network
    assert not mapped.dock.map.cancel.isVisible()


def test_without_marks_there_is_nothing_to_learn(mapped):
    assert not mapped.dock.learn.learn.isEnabled()
    mapped.key(Qt.Key.Key_L, on=mapped.dock.learn)
    assert any("no marks to learn from" in message for message in mapped.window.messages())


def test_advice_to_learn_is_followed_with_one_click(mapped):
    from terrafine.shared.messages import Advice

    mapped.mark(50.5, 40.5, (int(mapped.map()[40, 50]) + 1) % 3)
    mapped.controller.advice = Advice("learn", "Large.", 900, 0.9)
    mapped.plugin.bench.show()
    assert mapped.dock.learn.advice.text() == "Advice: Large."
    mapped.press(mapped.dock.learn.follow)
    assert mapped.controller.work.kind is Kind.LEARNING
    mapped.settle()
    assert not mapped.dock.learn.advice_row.isVisible()


def test_what_was_learnt_is_saved_as_a_model_that_classifies_alike(taught):
    learnt = taught.map()
    taught.dock.learn.save.trigger()
    dialog = taught.plugin.desk.learn.dialog
    save_button = dialog.buttons.buttons()[0]
    dialog.name.setText("no spaces, please")
    assert not save_button.isEnabled()
    dialog.name.setText("pixels")
    assert not save_button.isEnabled()  # the name is taken
    dialog.name.setText("stripes")
    assert save_button.isEnabled()
    dialog.accept()
    taught.settle()
    taught.choose_model("stripes")
    taught.classify()
    assert taught.marks == ()
    assert [item.name for item in taught.controller.legend] == list(NAMES)
    assert (taught.map() == learnt).mean() > 0.95  # but for the marks themselves


@pytest.fixture
def learnt_locally(analyst, scene):
    """The analyst with a local server, which has learnt from a mark and then died."""
    analyst.start_server()
    analyst.open(scene)
    analyst.choose_model()
    analyst.classify()
    analyst.mark(50.5, 40.5, (int(analyst.map()[40, 50]) + 1) % 3)
    learn(analyst)
    kill_server(analyst)
    return analyst


def test_a_local_server_that_is_started_again_has_what_was_learnt_still(learnt_locally):
    before = learnt_locally.map()
    learnt_locally.start_server()
    wrong = (int(before[120, 120]) + 1) % 3
    learnt_locally.mark(120.5, 120.5, wrong)
    assert learnt_locally.controller.view().has_learnt
    assert learnt_locally.map()[120, 120] == wrong
    learnt_locally.press(learnt_locally.dock.marks.tools.undo)
    learnt_locally.settle()
    assert np.array_equal(learnt_locally.map(), before)


def test_a_server_that_lost_what_was_learnt_is_said_and_marks_stay(learnt_locally):
    analyst = learnt_locally
    shutil.rmtree(default_place().state / "1")
    analyst.start_server()
    analyst.mark(120.5, 120.5, 1)
    analyst.settle()
    assert analyst.controller.link is Link.ONLINE
    assert any("does not have what was learnt" in message for message in analyst.window.messages())
    assert len(analyst.marks) == 2
    assert not analyst.controller.view().has_learnt
    shown = analyst.map()
    analyst.classify()
    assert np.array_equal(analyst.map(), shown)  # as the model, which never learnt, makes it of both marks


def test_a_server_that_is_stopped_and_started_at_once_waits_for_its_folder(learnt_locally):
    analyst = learnt_locally
    analyst.start_server()
    analyst.dock.server.stop_action.trigger()
    analyst.start_server()
    assert not any("has ended" in message and "state folder" in message for message in analyst.window.messages())
    analyst.mark(120.5, 120.5, 1)
    assert analyst.controller.view().has_learnt
