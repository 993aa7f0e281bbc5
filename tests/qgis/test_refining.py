"""The analyst's main path: classify, correct, take back; by mouse and keyboard, seen in the map's pixels."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import QgsApplication
from qgis.PyQt.QtCore import Qt

from terrafine.tests.qgis.analyst import until

pytestmark = pytest.mark.qgis
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
NODATA = 255
INFLUENCE = 64 + 16  # pixels that a mark's tiles reach at most


def other_class(class_map: np.ndarray, x: int, y: int) -> int:
    """A class that the map does not have there."""
    return (int(class_map[y, x]) + 1) % 3


def test_classifying_fills_the_map_with_classes_of_the_legend(mapped):
    assert set(np.unique(mapped.map())) <= {0, 1, 2}


def test_qgis_shows_the_pixels_that_are_in_the_file(mapped):
    assert np.array_equal(mapped.shown(), mapped.map())


def test_only_the_area_in_view_is_classified(analyst, address, scene):
    analyst.connect(address)
    layer = analyst.open(scene)
    extent = layer.extent()
    extent.scale(0.4)
    analyst.window.look_at(extent)
    analyst.choose_model()
    analyst.classify()
    covered = analyst.map() != NODATA
    assert covered[80, 80]
    assert not covered[:20].any()
    assert not covered[-20:].any()


def test_a_click_gives_the_marked_pixel_its_class(mapped):
    wrong = other_class(mapped.map(), 50, 40)
    mapped.mark(50.5, 40.5, wrong)
    (mark,) = mapped.marks
    assert [int(value) for value in mark.vertices[0]] == [50, 40]
    assert mapped.map()[40, 50] == wrong
    assert mapped.shown()[40, 50] == wrong


def test_a_click_changes_nothing_outside_the_tiles_it_can_touch(mapped):
    before = mapped.map()
    mapped.mark(20.5, 20.5, other_class(before, 20, 20))
    changed = np.argwhere(mapped.map() != before)
    assert len(changed)
    assert changed.max() < 20 + INFLUENCE


def test_a_stroke_gives_every_pixel_under_it_its_class(mapped):
    wrong = other_class(mapped.map(), 60, 80)
    mapped.stroke(wrong, (40.5, 80.5), (70.5, 80.5), (100.5, 80.5))
    (mark,) = mapped.marks
    assert mark.kind == "stroke"
    assert (mapped.map()[80, 42:99] == wrong).all()
    assert (mapped.map()[79:82, 60] == wrong).all()  # it is five pixels wide


def test_undo_brings_the_map_from_before_back_and_redo_the_one_after(mapped):
    before = mapped.map()
    mapped.mark(50.5, 40.5, other_class(before, 50, 40))
    after = mapped.map()
    mapped.key(Qt.Key.Key_Z, CONTROL)
    mapped.settle()
    assert np.array_equal(mapped.map(), before)
    assert mapped.stored() == []
    mapped.key(Qt.Key.Key_Z, CONTROL | SHIFT)
    mapped.settle()
    assert np.array_equal(mapped.map(), after)
    assert len(mapped.stored()) == 1


def test_undo_works_from_the_dock_too(mapped):
    mapped.mark(50.5, 40.5, 1)
    mapped.key(Qt.Key.Key_Z, CONTROL, on=mapped.dock.marks.legend)
    mapped.settle()
    assert mapped.marks == ()


def test_backspace_removes_the_last_mark_and_undo_brings_it_back(mapped):
    mapped.mark(50.5, 40.5, 1)
    mapped.mark(90.5, 90.5, 2)
    first, second = mapped.marks
    mapped.key(Qt.Key.Key_Backspace)
    mapped.settle()
    assert mapped.marks == (first,)
    mapped.key(Qt.Key.Key_Z, CONTROL)
    mapped.settle()
    assert mapped.marks == (first, second)


def test_an_undone_erasure_puts_the_mark_back_at_its_place_in_the_file_too(mapped):
    for x in (30.5, 70.5, 110.5):
        mapped.mark(x, 40.5, 1)
    marks = mapped.marks
    mapped.use("eraser")
    mapped.window.click(mapped.at(30.5, 40.5))
    mapped.settle()
    assert mapped.marks == marks[1:]
    mapped.key(Qt.Key.Key_Z, CONTROL)
    mapped.settle()
    assert mapped.marks == marks
    assert [mark_id for mark_id, _, _ in mapped.stored()] == [mark.id for mark in marks]


def test_the_eraser_removes_the_marks_it_is_drawn_over(mapped):
    before = mapped.map()
    for x in (30.5, 50.5, 120.5):
        mapped.mark(x, 40.5, 1)
    mapped.use("eraser")
    mapped.window.drag(mapped.at(25, 40.5), mapped.at(31, 40.5), mapped.at(50, 40.5), mapped.at(60, 40.5))
    mapped.settle()
    (left,) = mapped.marks
    assert int(left.vertices[0][0]) == 120
    assert [mark_id for mark_id, _, _ in mapped.stored()] == [left.id]
    assert np.array_equal(mapped.map()[:, :60], before[:, :60])


def test_escape_gives_up_a_stroke_and_then_goes_back_to_the_tool_from_before(mapped):
    from qgis.PyQt.QtTest import QTest

    mapped.use("stroke")
    QTest.mousePress(mapped.window.canvas.viewport(), Qt.MouseButton.LeftButton, pos=mapped.at(40, 40))
    mapped.key(Qt.Key.Key_Escape)
    QTest.mouseRelease(mapped.window.canvas.viewport(), Qt.MouseButton.LeftButton, pos=mapped.at(90, 90))
    assert mapped.marks == ()
    assert mapped.plugin.bench.toolbox.current == "stroke"
    mapped.key(Qt.Key.Key_Escape)
    assert mapped.window.canvas.mapTool() is mapped.window.pan
    assert not mapped.dock.marks.tools.buttons["stroke"].isChecked()


def test_a_number_key_picks_the_class_in_the_legend(mapped):
    mapped.use("point")
    mapped.key(Qt.Key.Key_3)
    assert mapped.dock.marks.legend.currentRow() == 2
    mapped.key(Qt.Key.Key_9)  # there is no ninth class
    assert mapped.controller.class_id == 2


def test_number_keys_are_left_to_qgis_while_another_tool_is_in_use(mapped):
    mapped.key(Qt.Key.Key_3)
    assert mapped.controller.class_id == 0


def test_a_click_beside_the_image_is_no_mark_and_says_so(mapped):
    mapped.use("point")
    mapped.window.click(mapped.at(-5, 80))
    assert mapped.marks == ()
    assert any("no image there" in message for message in mapped.window.messages())


def test_without_live_refresh_marks_wait_for_the_refresh_button(mapped):
    before, panel = mapped.map(), mapped.dock.marks
    panel.live.click()
    wrong = other_class(before, 50, 40)
    mapped.mark(50.5, 40.5, wrong)
    assert np.array_equal(mapped.map(), before)
    assert len(mapped.stored()) == 1
    mapped.press(panel.refresh)
    mapped.settle()
    assert mapped.map()[40, 50] == wrong
    assert not panel.refresh.isVisible()


def test_clicks_in_quick_succession_end_in_the_map_of_all_of_them(mapped):
    wrong = [other_class(mapped.map(), x, 40) for x in (30, 50, 90, 120)]
    mapped.use("point")
    for class_id, x in zip(wrong, (30.5, 50.5, 90.5, 120.5)):
        mapped.key(Qt.Key.Key_1 + class_id)
        mapped.window.click(mapped.at(x, 40.5))  # does not wait for the map
    mapped.settle()
    assert [mapped.map()[40, x] for x in (30, 50, 90, 120)] == wrong
    quick = mapped.map()
    mapped.classify()
    assert np.array_equal(mapped.map(), quick)  # the refreshed map is the map from scratch


@pytest.fixture
def classifying(analyst, address, tmp_path):
    """The analyst, while a large raster is being classified."""
    from terrafine.tests.qgis import scenes

    analyst.connect(address)
    analyst.open(scenes.projected(tmp_path / "large.tif", size=2048))
    analyst.choose_model()
    analyst.press(analyst.dock.map.classify)
    until(lambda: analyst.controller.session.mapped.pixels > 0, "the first patch is there")
    return analyst


def test_a_classification_can_be_cancelled_from_the_dock(classifying):
    classifying.press(classifying.dock.map.cancel)
    classifying.settle()
    covered = classifying.map() != NODATA
    assert covered.any()
    assert not covered.all()
    assert classifying.dock.map.classify.isEnabled()


def test_work_is_in_qgis_s_task_manager_and_can_be_cancelled_there(classifying):
    (task,) = QgsApplication.taskManager().activeTasks()
    assert task.description() == "Classifying"
    task.cancel()
    classifying.settle()
    assert not (classifying.map() != NODATA).all()


def test_after_a_cancelled_classification_marks_still_heal_what_is_there(classifying):
    classifying.press(classifying.dock.map.cancel)
    classifying.settle()
    row, col = (int(value) for value in np.argwhere(classifying.map() != NODATA)[0] + 10)
    wrong = other_class(classifying.map(), col, row)
    classifying.mark(col + 0.5, row + 0.5, wrong)
    (mark,) = classifying.marks
    x, y = (int(value) for value in mark.vertices[0])
    assert classifying.map()[y, x] == wrong
