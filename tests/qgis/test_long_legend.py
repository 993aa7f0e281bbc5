"""A legend of 200 classes can be looked at, picked from and drawn with."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import QgsRasterLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest

from terrafine.qgis_plugin.finish.labelling_dock import LabellingDock
from terrafine.qgis_plugin.legend.palette import COLORS, fresh
from terrafine.shared.spec import LandCover
from terrafine.tests.qgis.analyst import until
from terrafine.tests.qgis.window import LEFT

pytestmark = pytest.mark.qgis
COUNT, ONE = 200, 150


def colors(count: int) -> list[str]:
    found: list[str] = []
    for _ in range(count):
        found.append(fresh(found))
    return found


def parts(color: str) -> np.ndarray:
    return np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)])


CLASSES = tuple(LandCover(i, f"class {i}", color) for i, color in enumerate(colors(COUNT)))


@pytest.fixture
def long(analyst, address, scene):
    """The analyst, with a raster classified into 200 classes."""
    analyst.connect(address)
    analyst.open(scene)
    analyst.choose_model()
    analyst.plugin.bench.handle(lambda controller: controller.start_with(CLASSES))
    analyst.classify()
    return analyst


def test_its_colours_are_those_of_the_palette_first_and_differ_all():
    found = colors(COUNT)
    assert set(found[: len(COLORS) - 2]) <= set(COLORS)
    apart = [np.linalg.norm(parts(a) - parts(b)) for i, a in enumerate(found) for b in found[:i]]
    assert min(apart) > 25


def test_200_classes_are_classified_picked_from_the_list_and_drawn(long):
    legend = long.dock.marks.legend
    long.turn_to(legend)
    assert legend.count() == COUNT
    assert legend.height() < 12 * legend.sizeHintForRow(0)
    assert legend.verticalScrollBar().maximum() > 0
    legend.scrollToItem(legend.item(ONE))
    QTest.mouseClick(legend.viewport(), LEFT, pos=legend.visualItemRect(legend.item(ONE)).center())
    long.use("point")
    long.window.click(long.at(20.5, 30.5))
    long.settle()
    assert long.map()[30, 20] == ONE
    assert {entry.label for entry in long.map_layer.renderer().classes()} == {entry.name for entry in CLASSES}


def test_the_ninth_class_has_a_key_and_the_tenth_none(long):
    long.mark(20.5, 30.5, 8)
    until(lambda: long.map()[30, 20] == 8, "the mark is obeyed")
    tips = [long.dock.marks.legend.item(row).toolTip() for row in (8, 9)]
    assert ["9" in tip.split("—")[-1] and "—" in tip for tip in tips] == [True, False]
    long.key(Qt.Key.Key_0)
    assert long.controller.class_id == 8


def test_200_classes_can_be_labelled_on_a_small_screen(qgis_app):
    dock = LabellingDock(None)
    dock.show_classes(CLASSES)
    assert dock.classes.count() == COUNT
    assert dock.minimumSizeHint().height() < 300
    dock.deleteLater()


def test_its_names_and_colours_are_in_the_file(long):
    again = QgsRasterLayer(long.map_layer.source(), "again")
    entries = again.renderer().classes()
    assert {entry.color.name() for entry in entries if entry.value < COUNT} == {item.color for item in CLASSES}
