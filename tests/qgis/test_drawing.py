"""Every way to draw: polygons, rectangles, the class under the cursor, and regions that stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest

from terrafine.tests.qgis.window import LEFT, NONE

pytestmark = pytest.mark.qgis
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
SQUARE = ((30.5, 30.5), (60.5, 30.5), (60.5, 60.5), (30.5, 60.5))
INSIDE = (slice(32, 59), slice(32, 59))


def draw_polygon(analyst, tool: str, corners) -> None:
    """Click the corners and complete the outline with Enter."""
    analyst.use(tool)
    for corner in corners:
        analyst.window.click(analyst.at(*corner))
    analyst.key(Qt.Key.Key_Return)
    analyst.settle()


def rare_pixel(class_map: np.ndarray) -> tuple[int, int, int]:
    """Row, column and class of a pixel whose class is not the first of the legend."""
    row, col = np.argwhere(class_map > 0)[200]
    return int(row), int(col), int(class_map[row, col])


def test_every_pixel_of_a_polygon_gets_its_class(mapped):
    mapped.key(Qt.Key.Key_2, on=mapped.dock.marks.legend)
    draw_polygon(mapped, "polygon", SQUARE)
    (mark,) = mapped.marks
    assert (mark.kind, len(mark.vertices), mark.class_id) == ("polygon", 4, 1)
    assert (mapped.map()[INSIDE] == 1).all()


def test_a_right_click_completes_a_polygon(mapped):
    mapped.use("polygon")
    for corner in SQUARE:
        mapped.window.click(mapped.at(*corner))
    view = mapped.window.canvas.viewport()
    QTest.mouseClick(view, Qt.MouseButton.RightButton, NONE, mapped.at(40.5, 40.5))
    assert len(mapped.marks) == 1


def test_a_double_click_completes_a_polygon_and_begins_no_other(mapped):
    mapped.use("polygon")
    for corner in SQUARE[:3]:
        mapped.window.click(mapped.at(*corner))
    view, last = mapped.window.canvas.viewport(), mapped.at(*SQUARE[3])
    QTest.mouseClick(view, LEFT, NONE, last)
    QTest.mouseDClick(view, LEFT, NONE, last)
    (mark,) = mapped.marks
    assert len(mark.vertices) == 4
    assert not mapped.plugin.bench.toolbox.take_back()


def test_backspace_takes_back_the_last_corner_and_escape_the_polygon(mapped):
    mapped.use("polygon")
    for corner in (*SQUARE, (90.5, 90.5)):
        mapped.window.click(mapped.at(*corner))
    mapped.key(Qt.Key.Key_Backspace)
    mapped.key(Qt.Key.Key_Return)
    assert len(mapped.marks[0].vertices) == 4
    mapped.window.click(mapped.at(20.5, 20.5))
    mapped.key(Qt.Key.Key_Escape)
    mapped.key(Qt.Key.Key_Return)
    assert len(mapped.marks) == 1
    assert mapped.plugin.bench.toolbox.current == "polygon"


def test_an_outline_that_crosses_itself_is_refused_with_a_reason(mapped):
    draw_polygon(mapped, "polygon", (SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]))
    assert mapped.marks == ()
    assert "crosses itself" in mapped.window.messages()[-1]


def test_a_rectangle_is_dragged_from_corner_to_corner(mapped):
    mapped.use("rectangle")
    mapped.key(Qt.Key.Key_3)
    mapped.window.drag(mapped.at(*SQUARE[0]), mapped.at(40.5, 40.5), mapped.at(*SQUARE[2]))
    mapped.settle()
    (mark,) = mapped.marks
    assert mark.kind == "polygon"
    assert (mapped.map()[INSIDE] == 2).all()


def test_a_click_is_no_rectangle(mapped):
    mapped.use("rectangle")
    mapped.window.click(mapped.at(50.5, 50.5))
    assert mapped.marks == ()


def test_the_class_under_the_cursor_is_picked_with_a_click(mapped):
    mapped.use("stroke")
    row, col, class_id = rare_pixel(mapped.map())
    mapped.use("pick")
    mapped.window.click(mapped.at(col + 0.5, row + 0.5))
    assert mapped.controller.class_id == class_id
    assert mapped.plugin.bench.toolbox.current == "stroke"  # on with drawing


def test_the_class_under_the_cursor_is_picked_with_a_key(mapped):
    mapped.use("point")
    row, col, class_id = rare_pixel(mapped.map())
    QTest.mouseMove(mapped.window.canvas.viewport(), mapped.at(col + 0.5, row + 0.5))
    mapped.key(Qt.Key.Key_I)
    assert mapped.controller.class_id == class_id
    assert mapped.plugin.bench.toolbox.current == "point"


@pytest.mark.parametrize(
    ("key", "tool"), [("P", "point"), ("B", "stroke"), ("G", "polygon"), ("E", "eraser"), ("K", "lock")]
)
def test_a_letter_takes_up_a_tool_in_the_dock_and_on_the_map(mapped, key, tool):
    mapped.key(getattr(Qt.Key, f"Key_{key}"), on=mapped.dock)
    assert mapped.dock.marks.tools.buttons[tool].isChecked()
    mapped.key(Qt.Key.Key_R)
    assert mapped.plugin.bench.toolbox.current == "rectangle"


def test_brackets_change_the_stroke_s_width(mapped):
    mapped.use("stroke")
    before = mapped.dock.marks.width.value()
    mapped.key(Qt.Key.Key_BracketRight)
    assert mapped.dock.marks.width.value() == before + 1
    assert mapped.plugin.bench.width_px() == before + 1


def test_a_locked_region_stays_as_it_is(mapped):
    draw_polygon(mapped, "lock", SQUARE)
    before = mapped.map()
    mapped.mark(45.5, 45.5, (int(before[45, 45]) + 1) % 3)
    mapped.mark(70.5, 45.5, (int(before[45, 70]) + 1) % 3)
    assert np.array_equal(mapped.map()[INSIDE], before[INSIDE])
    assert mapped.map()[45, 70] != before[45, 70]


def test_unlocking_shows_what_the_lock_kept_back(mapped):
    before = mapped.map()
    wrong = (int(before[45, 45]) + 1) % 3
    draw_polygon(mapped, "lock", SQUARE)
    mapped.mark(45.5, 45.5, wrong)
    mapped.use("unlock")
    mapped.window.click(mapped.at(50.5, 50.5))
    mapped.settle()
    assert mapped.map()[45, 45] == wrong
    healed = mapped.map()
    mapped.classify()
    assert np.array_equal(mapped.map(), healed)


def test_a_lock_can_be_undone_and_done_again(mapped):
    draw_polygon(mapped, "lock", SQUARE)
    before = mapped.map()
    wrong = (int(before[45, 45]) + 1) % 3
    mapped.mark(45.5, 45.5, wrong)
    mapped.key(Qt.Key.Key_Z, CONTROL)
    mapped.key(Qt.Key.Key_Z, CONTROL)
    mapped.settle()
    assert mapped.controller.session.locks.marks == ()
    assert mapped.marks == ()
    mapped.key(Qt.Key.Key_Z, CONTROL | SHIFT)
    mapped.key(Qt.Key.Key_Z, CONTROL | SHIFT)
    mapped.settle()
    assert len(mapped.controller.session.locks.marks) == 1
    assert mapped.map()[45, 45] == before[45, 45]
