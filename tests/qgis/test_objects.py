"""Single objects: a box, clicks and keys in a real canvas, against a server in a process of its own."""

from __future__ import annotations

import dataclasses

import pytest
from qgis.core import QgsGeometry, QgsPointXY
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest

from terrafine.qgis_plugin.state import Link
from terrafine.shared.geo import contains
from terrafine.tests.qgis.analyst import until
from terrafine.tests.qgis.window import LEFT, NONE

pytestmark = pytest.mark.qgis
RIGHT = Qt.MouseButton.RightButton
BOX = ((20.5, 20.5), (100.5, 100.5))


def tool_of(analyst):
    return analyst.plugin.bench.toolbox.object


def drag_box(analyst, corners=BOX) -> None:
    analyst.use("object")
    analyst.window.drag(*(analyst.at(*corner) for corner in corners))


def click(analyst, x: float, y: float, button=LEFT) -> None:
    """Click and wait for what comes of it."""
    analyst.window.click(analyst.at(x, y), button)
    analyst.settle()


def shape_of(analyst) -> QgsGeometry:
    """The outline on the map."""
    return tool_of(analyst)._bands.geometry("outline")


def on_map(analyst, x: float, y: float) -> QgsGeometry:
    return QgsGeometry.fromPointXY(analyst.plugin.bench.locator().point(x, y))


@pytest.fixture
def found(mapped):
    """An object around a click in the middle of its box."""
    mapped.key(Qt.Key.Key_2, on=mapped.dock.marks.legend)
    drag_box(mapped)
    click(mapped, 60.5, 60.5)
    return mapped


def test_a_box_alone_asks_for_nothing(mapped):
    drag_box(mapped)
    assert mapped.controller.work is None
    assert tool_of(mapped).guide is None
    frame = tool_of(mapped)._bands.geometry("frame")
    assert frame.contains(on_map(mapped, 60.5, 60.5))
    assert not frame.contains(on_map(mapped, 110.5, 60.5))


def test_a_click_in_the_box_shows_the_object_and_changes_nothing(found):
    assert shape_of(found).contains(on_map(found, 60.5, 60.5))
    assert not shape_of(found).contains(on_map(found, 110.5, 110.5))
    assert found.marks == ()


def test_left_clicks_add_and_right_clicks_take_away(found):
    first = shape_of(found).area()
    click(found, 90.5, 60.5)
    more = shape_of(found).area()
    assert more > first
    assert shape_of(found).contains(on_map(found, 90.5, 60.5))
    click(found, 60.5, 90.5, RIGHT)
    assert shape_of(found).area() < more
    guide = tool_of(found).guide
    assert (len(guide.inside), len(guide.outside)) == (2, 1)


def test_enter_accepts_the_object_as_a_polygon_of_the_class_that_the_map_follows(found):
    outline = shape_of(found)
    found.key(Qt.Key.Key_Return)
    found.settle()
    (mark,) = found.marks
    assert (mark.kind, mark.class_id) == ("polygon", 1)
    assert [kind for _, kind, _ in found.stored()] == ["polygon"]
    locator = found.plugin.bench.locator()
    drawn = QgsGeometry.fromPolygonXY([[QgsPointXY(locator.point(x, y)) for x, y in mark.vertices]])
    assert drawn.symDifference(outline).area() < 1e-6 * outline.area()
    assert found.map()[60, 60] == 1
    assert tool_of(found).guide is None
    assert shape_of(found) is None


def test_undo_takes_the_accepted_object_back(found):
    found.key(Qt.Key.Key_Return)
    found.settle()
    found.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    found.settle()
    assert found.marks == ()


def test_escape_drops_the_object_and_keeps_the_tool(found):
    found.key(Qt.Key.Key_Escape)
    assert shape_of(found) is None
    assert found.plugin.bench.toolbox.current == "object"
    found.key(Qt.Key.Key_Return)
    assert found.marks == ()


def test_backspace_takes_the_last_click_back_then_the_box(found):
    first = shape_of(found).area()
    click(found, 90.5, 60.5)
    found.key(Qt.Key.Key_Backspace)
    found.settle()
    assert shape_of(found).area() == pytest.approx(first)
    found.key(Qt.Key.Key_Backspace)
    assert shape_of(found).isEmpty()
    found.key(Qt.Key.Key_Backspace)
    assert tool_of(found)._bands.geometry("frame") is None


def test_a_box_that_was_drawn_wrong_is_drawn_again(mapped):
    drag_box(mapped)
    drag_box(mapped, ((90.5, 90.5), (130.5, 140.5)))
    click(mapped, 110.5, 115.5)
    assert tool_of(mapped).guide.box == pytest.approx((90.5, 90.5, 130.5, 140.5), abs=1.0)


def test_two_quick_clicks_are_two_clicks(found):
    at, view = found.at(90.5, 60.5), found.window.canvas.viewport()
    QTest.mouseClick(view, LEFT, NONE, at)
    QTest.mouseDClick(view, LEFT, NONE, at)  # instead of a press
    QTest.mouseRelease(view, LEFT, NONE, at)
    found.settle()
    assert len(tool_of(found).guide.inside) == 3


def test_an_answer_to_what_was_dropped_shows_nothing(mapped):
    drag_box(mapped)
    mapped.window.click(mapped.at(60.5, 60.5))
    mapped.key(Qt.Key.Key_Escape)
    mapped.settle()
    assert shape_of(mapped) is None


def test_the_tool_has_a_key_and_a_button_that_says_how_it_works(mapped):
    mapped.key(Qt.Key.Key_O, on=mapped.dock.marks.legend)
    tools = mapped.dock.marks.tools
    assert tools.buttons["object"].isChecked()
    assert "(O)" in tools.buttons["object"].toolTip()
    assert tools.hint.text().startswith("Object: ")
    assert not tools.buttons["object"].icon().isNull()


def test_a_box_beside_the_image_says_so(mapped):
    drag_box(mapped, ((-60.0, -60.0), (-20.0, -20.0)))
    assert any("no image there" in text for text in mapped.window.messages())


def test_models_that_find_objects_are_not_offered_for_maps(mapped):
    offered = [mapped.dock.map.model.itemData(index) for index in range(mapped.dock.map.model.count())]
    assert "tiny" in offered
    assert "finder" not in offered
    assert mapped.controller.finder.name == "finder"


def test_without_a_model_for_objects_there_is_advice(mapped):
    mapped.controller.finders = ()
    drag_box(mapped)
    click(mapped, 60.5, 60.5)
    assert any("no model that finds objects" in text for text in mapped.window.messages())


def test_a_model_needs_no_band_that_the_image_lacks(mapped):
    four = dataclasses.replace(
        mapped.controller.finders[0], bands=("red", "green", "blue", "nir"),
        normalisation=dataclasses.replace(mapped.controller.finders[0].normalisation, mean=(0.5,) * 4, std=(0.5,) * 4),
    )  # fmt: skip
    mapped.controller.finders = (four,)
    assert mapped.controller.finder is None


def test_a_find_waits_for_nobody_but_what_is_waited_for_goes_on(mapped):
    """A refinement that a click interrupts is taken up again afterwards."""
    mapped.use("point")
    mapped.window.click(mapped.at(30.5, 30.5))
    drag_box(mapped)
    mapped.window.click(mapped.at(60.5, 60.5))
    until(lambda: mapped.controller.work is None and not mapped.controller.view().is_behind, "the map follows")
    assert shape_of(mapped).contains(on_map(mapped, 60.5, 60.5))
    assert mapped.controller.link is Link.ONLINE


def test_the_outline_stays_within_what_was_looked_at(found):
    click(found, 99.5, 99.5)
    found.key(Qt.Key.Key_Return)
    (mark,) = found.marks
    xs, ys = zip(*mark.vertices)
    assert contains(found.plugin.bench.locator().placement.window, found.controller.session.mapped)
    assert min(xs) >= 0
    assert max(ys) <= 160
