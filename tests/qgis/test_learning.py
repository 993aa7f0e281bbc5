"""Learning and the legend in the dock, against a real server: seen in the map's file, the layers and the project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsVectorLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest

from terrafine.qgis_plugin.legend.palette import COLORS, fresh
from terrafine.qgis_plugin.state import Kind, Link
from terrafine.tests.qgis import scenes
from terrafine.tests.qgis.analyst import until
from terrafine.tests.qgis.test_keeping import kill_server, reopen, save

pytestmark = pytest.mark.qgis
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
STRIPES = (25.5, 80.5, 135.5)  # the middles of the scene's three stripes
NAMES = ("lake", "wood", "sand")


@pytest.fixture
def striped(analyst, address: str, tmp_path: Path):
    """The analyst before a scene of three stripes, with a model that knows nothing and a legend of their own."""
    analyst.connect(address)
    analyst.open(scenes.stripes(tmp_path / "stripes.tif"))
    analyst.choose_model("pixels")
    start_with(analyst, NAMES)
    analyst.classify()
    return analyst


@pytest.fixture
def taught(striped):
    """Two classes marked, and learnt."""
    for class_id, x in enumerate(STRIPES[:2]):
        striped.stroke(class_id, (x, 20.5), (x, 140.5))
    learn(striped)
    return striped


def start_with(analyst, names: tuple[str, ...]) -> None:
    analyst.dock.marks.legend_tools.own.trigger()
    dialog = analyst.plugin.desk.legend.dialog
    for row in list(dialog.rows):
        analyst.press(row.remove)
    for name in names:
        analyst.press(dialog.add)
        dialog.rows[-1].name.setText(name)
    dialog.accept()


def learn(analyst) -> None:
    analyst.press(analyst.dock.learn.learn)
    assert analyst.controller.work.kind is Kind.LEARNING
    analyst.settle()


def add_class(analyst, name: str) -> None:
    analyst.press(analyst.dock.marks.legend_tools.add)
    dialog = analyst.plugin.desk.legend.dialog
    dialog.name.setText(name)
    dialog.accept()
    analyst.settle()


def pick(analyst, class_id: int) -> None:
    analyst.dock.marks.legend.class_chosen.emit(class_id)


def legend(analyst) -> list[str]:
    """The names in the dock's legend."""
    shown = analyst.dock.marks.legend
    return [shown.item(row).text() for row in range(shown.count())]


def palette(analyst) -> dict[int, str]:
    """The colours in the map's file."""
    dataset = gdal.Open(analyst.map_layer.source())  # GDAL needs it to live as long as its band
    table = dataset.GetRasterBand(1).GetColorTable()
    return {i: "#" + bytes(table.GetColorEntry(i)[:3]).hex() for i in range(table.GetCount())}


def category_names(analyst) -> list[str]:
    dataset = gdal.Open(analyst.map_layer.source())
    dataset.GetMetadata()  # makes this GDAL read the .aux.xml, too
    return dataset.GetRasterBand(1).GetCategoryNames()


# ---- learning ------------------------------------------------------------------------------------------------------


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
    lesson = taught.controller.session.lesson
    assert f"{lesson.right_after:.0%}" in taught.dock.learn.result.text()
    assert not taught.dock.learn.invitation.isVisible()
    taught.press(taught.dock.marks.tools.undo)
    taught.settle()
    assert taught.dock.learn.invitation.isVisible()


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
    mapped.press(panel.cancel)
    mapped.settle()
    assert np.array_equal(mapped.map(), before)
    assert mapped.controller.session.history.network == network
    assert not panel.cancel.isVisible()


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


def test_a_server_that_lost_what_was_learnt_is_said_and_marks_stay(analyst, scene):
    analyst.start_server()
    analyst.open(scene)
    analyst.choose_model()
    analyst.classify()
    analyst.mark(50.5, 40.5, (int(analyst.map()[40, 50]) + 1) % 3)
    unlearnt = analyst.map()
    learn(analyst)
    kill_server(analyst)
    analyst.start_server()
    analyst.mark(120.5, 120.5, int(analyst.map()[120, 120]))
    analyst.settle()
    assert analyst.controller.link is Link.ONLINE
    assert any("does not have what was learnt" in message for message in analyst.window.messages())
    assert len(analyst.marks) == 2
    assert not analyst.controller.view().has_learnt
    assert (analyst.map()[:60, :100] == unlearnt[:60, :100]).all()


# ---- before and after ----------------------------------------------------------------------------------------------


def test_the_swipe_shows_the_map_from_before_left_of_the_mouse(taught):
    swipe, canvas = taught.plugin.desk.learn.swipe, taught.window.canvas
    taught.press(taught.dock.learn.compare)
    until(lambda: swipe._curtain._image is not None, "the map of before is drawn")
    line = taught.at(120, 80)
    QTest.mouseMove(canvas.viewport(), line)
    until(lambda: swipe.place == line.x(), "the line follows")
    canvas.waitWhileRendering()
    left, right = taught.at(100, 120), taught.at(130, 120)  # beside the marks
    with_line = canvas.grab().toImage()
    taught.key(Qt.Key.Key_Escape)
    assert not taught.dock.learn.compare.isChecked()
    canvas.waitWhileRendering()
    without = canvas.grab().toImage()
    assert with_line.pixel(left) != without.pixel(left)
    assert with_line.pixel(right) == without.pixel(right)


def test_the_swipe_moves_by_keys_and_another_tool_ends_it(taught):
    swipe = taught.plugin.desk.learn.swipe
    taught.key(Qt.Key.Key_C, on=taught.dock.learn)
    start = swipe.place
    taught.key(Qt.Key.Key_Left)
    assert swipe.place < start
    taught.use("point")
    assert not swipe.is_on
    assert not taught.dock.learn.compare.isChecked()


def test_there_is_nothing_to_compare_before_learning_and_no_file_is_left_after_it(striped):
    assert not striped.dock.learn.compare.isEnabled()
    striped.stroke(0, (25.5, 20.5), (25.5, 140.5))
    learn(striped)
    kept = striped.plugin.bench.sessions.of(striped.controller.session).map.copy.path
    assert kept.is_file()
    striped.leave()
    assert not kept.parent.exists()


# ---- the legend ----------------------------------------------------------------------------------------------------


def test_a_session_begins_with_the_user_s_own_classes(striped):
    assert legend(striped) == list(NAMES)
    assert category_names(striped) == list(NAMES)
    assert set(np.unique(striped.map())) <= {0, 1, 2}
    for class_id, x in enumerate(STRIPES):
        striped.stroke(class_id, (x, 20.5), (x, 140.5))
    learn(striped)
    assert [striped.map()[5, int(x)] for x in STRIPES] == [0, 1, 2]


def test_own_classes_come_back_with_the_project(taught, tmp_path):
    learnt = taught.map()
    save(taught, tmp_path / "project.qgz")
    reopen(taught, tmp_path / "project.qgz")
    assert legend(taught) == list(NAMES)
    assert taught.controller.session.subject.classes == taught.controller.legend
    taught.stroke(2, (STRIPES[2], 20.5), (STRIPES[2], 140.5))
    assert taught.controller.view().has_learnt
    assert np.array_equal(taught.map()[:, :100], learnt[:, :100])
    learn(taught)
    assert taught.map()[5, int(STRIPES[2])] == 2


def test_learning_again_ends_the_comparison_with_the_map_of_before(taught):
    taught.press(taught.dock.learn.compare)
    learn(taught)
    assert not taught.plugin.desk.learn.swipe.is_on
    assert taught.dock.learn.compare.isEnabled()


def test_a_new_class_is_marked_learnt_and_on_the_map(taught):
    add_class(taught, "beach")
    assert taught.controller.class_id == 3
    taught.stroke(3, (STRIPES[2], 20.5), (STRIPES[2], 140.5))
    learn(taught)
    assert taught.map()[5, int(STRIPES[2])] == 3
    assert taught.map()[5, int(STRIPES[0])] == 0
    assert category_names(taught) == [*NAMES, "beach"]
    assert taught.stored()[-1][2] == 3


def test_a_class_needs_a_name_of_its_own_and_is_offered_a_fresh_colour(mapped):
    mapped.key(Qt.Key.Key_Insert, on=mapped.dock.marks.legend)
    dialog = mapped.plugin.desk.legend.dialog
    accept = dialog.buttons.buttons()[0]
    assert not accept.isEnabled()
    dialog.name.setText("Water")
    assert not accept.isEnabled()
    dialog.name.setText("Solar panels")
    assert accept.isEnabled()
    assert dialog.color() in COLORS
    assert dialog.color() not in [item.color for item in mapped.controller.legend]
    dialog.reject()
    assert len(mapped.controller.legend) == 3


def test_the_fresh_colour_is_far_from_all_others():
    assert fresh(COLORS[:-1]) == COLORS[-1]
    assert fresh([]) in COLORS


def test_another_name_and_colour_are_on_the_map_the_marks_and_in_the_project(mapped, tmp_path):
    mapped.mark(50.5, 40.5, 1)
    mapped.key(Qt.Key.Key_F2, on=mapped.dock.marks.legend)
    dialog = mapped.plugin.desk.legend.dialog
    assert dialog.name.text() == "land"
    dialog.name.setText("soil")
    dialog.color_button.setColor(Qt.GlobalColor.black)
    dialog.accept()
    mapped.settle()
    for _ in range(2):
        assert legend(mapped) == ["water", "soil", "building"]
        assert category_names(mapped) == ["water", "soil", "building"]
        assert palette(mapped)[1] == "#000000"
        (feature,) = QgsVectorLayer(mapped.marks_layer.source(), "again", "ogr").getFeatures()
        assert feature["class_name"] == "soil"
        labels = {int(category.value()): category.label() for category in mapped.marks_layer.renderer().categories()}
        assert labels[1] == "soil"
        save(mapped, tmp_path / "project.qgz")
        reopen(mapped, tmp_path / "project.qgz")


def test_a_merged_class_is_gone_from_map_and_legend_and_stays_so(taught, tmp_path):
    pick(taught, 0)
    menu = taught.dock.marks.legend_tools.merge_menu
    taught.key(Qt.Key.Key_M, CONTROL, on=taught.dock.marks.legend)
    assert menu.isVisible()
    assert [action.text() for action in menu.actions()] == ["wood", "sand"]
    taught.key(Qt.Key.Key_Down, on=menu)
    taught.key(Qt.Key.Key_Return, on=menu)
    taught.settle()
    for _ in range(2):
        assert legend(taught) == ["wood", "sand"]
        assert 0 not in np.unique(taught.map())
        assert taught.map()[5, int(STRIPES[0])] == 1
        assert palette(taught)[0] == palette(taught)[1]
        save(taught, tmp_path / "project.qgz")
        reopen(taught, tmp_path / "project.qgz")


def test_marks_of_a_removed_class_stay_and_are_dimmed_until_it_is_undone(taught):
    learnt = taught.map()
    taught.dock.marks.opacity.setValue(40)
    pick(taught, 0)
    taught.key(Qt.Key.Key_Delete, on=taught.dock.marks.legend)
    taught.settle()
    assert legend(taught) == ["wood", "sand"]
    assert 0 not in np.unique(taught.map())
    assert len(taught.stored()) == 2
    assert taught.map_layer.opacity() == pytest.approx(0.4)

    def opacity(class_id: int) -> float:
        categories = taught.marks_layer.renderer().categories()
        return next(item.symbol().opacity() for item in categories if item.value() == class_id)

    assert opacity(0) < 0.5 < opacity(1)
    steps = taught.dock.history.steps
    assert steps.item(steps.count() - 1).text().startswith("Class removed: lake")
    taught.key(Qt.Key.Key_Z, CONTROL)
    taught.settle()
    assert opacity(0) == 1.0
    assert np.array_equal(taught.map(), learnt)


def test_the_keyboard_picks_classes_in_the_legend(mapped):
    shown = mapped.dock.marks.legend
    mapped.key(Qt.Key.Key_Down, on=shown)
    assert mapped.controller.class_id == 1
    assert shown.currentRow() == 1
