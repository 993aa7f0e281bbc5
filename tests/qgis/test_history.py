"""The list of steps: what was done, what it changed in the map, and the way back to any of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest

from terrafine.qgis_plugin.history import History, Verb
from terrafine.qgis_plugin.history_panel import gain_words
from terrafine.shared.annotation import UNDO_STEPS, Annotation, AnnotationLog
from terrafine.tests.qgis.window import LEFT

pytestmark = pytest.mark.qgis
CONTROL = Qt.KeyboardModifier.ControlModifier


def mark(name: str, kind: str = "point") -> Annotation:
    return Annotation(name, kind, ((1.0, 1.0), (5.0, 1.0), (5.0, 5.0))[: 1 if kind == "point" else 3], 0)


@pytest.fixture
def history():
    return History(AnnotationLog(), AnnotationLog())


def logs(history: History) -> tuple[list[str], list[str]]:
    return [m.id for m in history._marks.marks], [m.id for m in history._locks.marks]


def test_marks_and_locks_are_undone_in_the_order_in_which_they_were_done(history):
    history.do(Verb.DRAW, [mark("a")])
    history.do(Verb.LOCK, [mark("region", "polygon")])
    history.do(Verb.DRAW, [mark("b")])
    assert logs(history) == (["a", "b"], ["region"])
    history.go_to(2)
    assert logs(history) == (["a"], ["region"])
    history.go_to(1)
    assert logs(history) == (["a"], [])
    history.go_to(3)
    assert logs(history) == (["a", "b"], ["region"])


def test_a_new_step_forgets_what_was_undone_in_either_log(history):
    history.do(Verb.LOCK, [mark("region", "polygon")])
    history.go_to(0)
    history.do(Verb.DRAW, [mark("a")])
    assert not history.can_redo
    history.go_to(0)
    history.go_to(5)
    assert logs(history) == (["a"], [])


def test_a_change_says_what_it_took_away(history):
    history.do(Verb.LOCK, [mark("region", "polygon")])
    (change,) = history.go_to(0)
    assert change.of_locks
    assert [region.id for region in change.gone] == ["region"]


def test_the_history_remembers_as_many_steps_as_the_logs_do(history):
    for number in range(UNDO_STEPS + 3):
        history.do(Verb.DRAW, [mark(str(number))])
    history.go_to(0)
    assert logs(history)[0] == ["0", "1", "2"]


def test_what_changes_in_the_map_of_a_revision_is_the_doing_of_the_step_that_led_there(history):
    history.do(Verb.DRAW, [mark("a")])
    history.do(Verb.LOCK, [mark("region", "polygon")])
    history.note(1, Counter({0: 5, 1: -5}))
    history.note(1, Counter({0: 2, 2: -2}))
    history.note(7, Counter({0: 100}))  # an undo's
    assert [dict(step.pixels) for step in history.steps] == [{0: 7, 1: -5, 2: -2}, {}]


def test_gains_are_told_by_size_with_losses_as_minus():
    pixels = Counter({0: 1412, 1: -1400, 2: -12, 3: 0})
    assert gain_words(pixels, {0: "vegetation", 1: "land"}) == "+1,412 vegetation, −1,400 land, −12 2"


def test_each_step_says_how_many_pixels_of_each_class_it_changed(mapped):
    before = mapped.map()
    wrong = (int(before[40, 50]) + 1) % 3
    mapped.mark(50.5, 40.5, wrong)
    after = mapped.map()
    (step,) = mapped.controller.session.history.steps
    gains = {c: int((after == c).sum() - (before == c).sum()) for c in range(3)}
    assert {c: gain for c, gain in step.pixels.items() if gain} == {c: gain for c, gain in gains.items() if gain}
    shown = mapped.dock.history.steps.item(1).text()
    name = mapped.controller.legend[wrong].name
    assert shown.startswith(f"Point: {name}\n")
    assert f"+{gains[wrong]:,} {name}" in shown


def test_classifying_more_of_the_image_is_not_the_last_mark_s_doing(analyst, address, scene):
    analyst.connect(address)
    layer = analyst.open(scene)
    extent = layer.extent()
    extent.scale(0.4)
    analyst.window.look_at(extent)
    analyst.choose_model()
    analyst.classify()
    analyst.mark(80.5, 80.5, (int(analyst.map()[80, 80]) + 1) % 3)
    (step,) = analyst.controller.session.history.steps
    before = Counter(step.pixels)
    analyst.window.look_at(layer.extent())
    analyst.classify()
    assert (analyst.map() != 255).all()
    assert step.pixels == before


def test_a_click_on_a_step_goes_back_to_it_and_a_later_one_forward(mapped):
    maps = [mapped.map()]
    for x in (30.5, 80.5, 120.5):
        mapped.mark(x, 40.5, (int(mapped.map()[40, int(x)]) + 1) % 3)
        maps.append(mapped.map())
    steps = mapped.dock.history.steps
    for row in (1, 3, 0):
        steps.scrollToItem(steps.item(row))
        QTest.mouseClick(steps.viewport(), LEFT, pos=steps.visualItemRect(steps.item(row)).center())
        mapped.settle()
        assert len(mapped.marks) == row
        assert np.array_equal(mapped.map(), maps[row])
        assert steps.item(row).font().bold()


def test_the_keyboard_goes_back_to_a_step_too(mapped):
    before = mapped.map()
    mapped.mark(50.5, 40.5, (int(before[40, 50]) + 1) % 3)
    steps = mapped.dock.history.steps
    steps.setCurrentRow(0)
    mapped.key(Qt.Key.Key_Return, on=steps)
    mapped.settle()
    assert np.array_equal(mapped.map(), before)
