"""The swipe between the map from before the last learning and the one of now."""

from __future__ import annotations

import pytest
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest

from terrafine.tests.qgis.analyst import until
from terrafine.tests.qgis.teaching import (
    learn,
)

pytestmark = pytest.mark.qgis


def test_the_swipe_shows_the_map_from_before_left_of_the_mouse(taught):
    swipe, canvas = taught.plugin.desk.learn.swipe, taught.window.canvas
    taught.press(taught.dock.learn.compare)
    until(lambda: swipe.is_drawn, "the map of before is drawn")
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


def test_learning_again_ends_the_comparison_with_the_map_of_before(taught):
    taught.press(taught.dock.learn.compare)
    learn(taught)
    assert not taught.plugin.desk.learn.swipe.is_on
    assert taught.dock.learn.compare.isEnabled()
