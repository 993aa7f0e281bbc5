"""The feature table (docs/features.md), row by row: marks, legend, steps, learning, and where to look."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import QgsProject
from qgis.PyQt.QtCore import Qt

from terrafine.tests.qgis.teaching import add_class, learn, legend, palette
from terrafine.tests.qgis.test_keeping import reopen, save

pytestmark = pytest.mark.qgis
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def other(analyst, col: int, row: int) -> int:
    return (int(analyst.map()[row, col]) + 1) % 3


def undo(analyst) -> None:
    analyst.key(Qt.Key.Key_Z, CONTROL)
    analyst.settle()


def redo(analyst) -> None:
    analyst.key(Qt.Key.Key_Z, CONTROL | SHIFT)
    analyst.settle()


def test_point_and_stroke_marks_for_a_model(mapped):
    """Points, strokes, polygons and boxes; the map has their class where they lie."""
    mapped.mark(50.5, 40.5, 2)
    mapped.stroke(1, (20.5, 20.5), (60.5, 20.5))
    mapped.use("rectangle")
    mapped.key(Qt.Key.Key_1)
    mapped.window.drag(mapped.at(100.5, 100.5), mapped.at(110.5, 105.5), mapped.at(120.5, 110.5))
    mapped.settle()
    mapped.use("polygon")
    mapped.key(Qt.Key.Key_3)
    for corner in ((100.5, 30.5), (130.5, 30.5), (115.5, 60.5)):
        mapped.window.click(mapped.at(*corner))
    mapped.key(Qt.Key.Key_Return)
    mapped.settle()
    assert [kind for _, kind, _ in mapped.stored()] == ["point", "stroke", "polygon", "polygon"]
    result = mapped.map()
    assert [result[40, 50], result[20, 40], result[105, 110], result[40, 115]] == [2, 1, 0, 2]


def test_legend_classes_colours_names_shortcuts(mapped, tmp_path):
    """Loaded from the model, editable, picked by number, saved with the project."""
    assert legend(mapped) == ["water", "land", "building"]
    add_class(mapped, "wetland")
    mapped.controller.choose_class(0)
    mapped.use("point")
    mapped.key(Qt.Key.Key_4)
    assert mapped.controller.class_id == 3
    mapped.plugin.bench.handle(lambda controller: controller.edit_class(0, "lake", "#123456"))
    mapped.settle()
    save(mapped, tmp_path / "project.qgz")
    reopen(mapped, tmp_path / "project.qgz")
    assert legend(mapped) == ["lake", "land", "building", "wetland"]
    assert palette(mapped)[0] == "#123456"


def test_undo_and_redo(mapped):
    """Across marks and learning, as one row of steps."""
    untouched = mapped.map()
    for col in (30, 80, 120):
        mapped.mark(col + 0.5, 40.5, other(mapped, col, 40))
    marked = mapped.map()
    learn(mapped)
    learnt = mapped.map()
    undo(mapped)
    assert np.array_equal(mapped.map(), marked)
    for _ in range(3):
        undo(mapped)
    assert np.array_equal(mapped.map(), untouched)
    assert mapped.stored() == []
    for _ in range(4):
        redo(mapped)
    assert np.array_equal(mapped.map(), learnt)
    assert len(mapped.stored()) == 3


def test_next_most_uncertain_place(mapped):
    """The canvas goes from patch to patch, those that are worth most first."""
    panel = mapped.dock.look
    panel.size.setCurrentIndex(panel.size.findData(64))
    mapped.press(panel.begin)
    mapped.settle()
    review = mapped.controller.session.review
    scores = [patch.score for patch in review.patches]
    assert scores == sorted(scores, reverse=True)
    assert review.current == review.patches[0].window
    mapped.use("point")
    mapped.key(Qt.Key.Key_N)
    here = mapped.controller.session.review.current
    assert here == review.patches[1].window
    seen = mapped.plugin.bench.locator().extent(here)
    assert mapped.window.canvas.extent().contains(seen)


def test_uncertainty_map(mapped):
    """At any time, marks or not: a raster from 0 to 1 over all that is mapped."""
    panel = mapped.dock.look
    for _ in range(2):
        mapped.press(panel.measure)
        mapped.settle()
        (layer,) = [
            layer
            for layer in QgsProject.instance().mapLayers().values()
            if layer.customProperty("terrafine/role") == "uncertainty"
        ]
        block = layer.dataProvider().block(1, layer.extent(), layer.width(), layer.height())
        values = np.array([[block.value(row, col) for col in range(0, 160, 20)] for row in range(0, 160, 20)])
        assert values.min() >= 0
        assert values.max() <= 1
        assert values.std() > 0
        mapped.mark(50.5, 40.5, other(mapped, 50, 40))


def test_learn_from_corrections(mapped):
    """The model follows the marks, for this image; undo takes it back; it is saved as a model of its own."""
    for col in (30, 80, 120):
        mapped.mark(col + 0.5, 40.5, other(mapped, col, 40))
    before = mapped.map()
    learn(mapped)
    assert not np.array_equal(mapped.map(), before)
    assert mapped.controller.session.lesson_of_now is not None
    mapped.plugin.bench.handle(lambda controller: controller.save_model("tiny-taught", "Tiny, taught"))
    mapped.settle()
    assert "tiny-taught" in [model.name for model in mapped.controller.models]
    undo(mapped)
    assert np.array_equal(mapped.map(), before)
