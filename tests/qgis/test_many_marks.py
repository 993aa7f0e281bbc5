"""Thousands of marks at once: written bit by bit while QGIS goes on, and nothing by halves."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from qgis.core import QgsApplication, QgsProject, QgsVectorLayer
from qgis.PyQt.QtCore import Qt

from terrafine.qgis_plugin.history import Verb
from terrafine.qgis_plugin.marks.writer import PIECE
from terrafine.shared.annotation import Annotation
from terrafine.tests.qgis import disks
from terrafine.tests.qgis.analyst import until

pytestmark = pytest.mark.qgis
COUNT = 4 * PIECE + 7


@pytest.fixture
def marking(mapped):
    """Marks are kept and not sent: what the map makes of them is not at issue."""
    mapped.controller.set_live(False)
    return mapped


def many(count: int = COUNT) -> tuple[Annotation, ...]:
    places = np.random.default_rng(3).uniform(0, 100, (count, 2)).tolist()
    return tuple(Annotation(f"many {i}", "point", (tuple(at),), i % 3) for i, at in enumerate(places))


def take(analyst, marks: tuple[Annotation, ...]) -> None:
    """What the importer has read."""
    exchange = analyst.plugin.desk.exchange
    exchange._into = analyst.controller.session
    exchange._take(marks, Counter())


def writer(analyst):
    return analyst.plugin.bench.sessions.of(analyst.controller.session).marks.writer


def wait(analyst) -> None:
    until(lambda: not writer(analyst).is_writing, "all is written")


def names(analyst) -> list[str]:
    return [name for name, _, _ in analyst.stored()]


def saving() -> list:
    tasks = QgsApplication.taskManager().activeTasks()
    return [task for task in tasks if task.description() == "Saving imported marks"]


def test_an_import_is_written_in_pieces_in_its_order_and_is_one_step(marking):
    take(marking, many())
    assert writer(marking).left == COUNT - PIECE
    assert len(marking.marks) == COUNT
    assert len(marking.controller.session.history.steps) == 1
    wait(marking)
    assert names(marking) == [mark.id for mark in many()]


def test_a_mark_drawn_meanwhile_comes_after_the_imported_ones_in_the_file_too(marking):
    take(marking, many())
    marking.mark(50.5, 40.5, 1)
    wait(marking)
    assert names(marking) == [mark.id for mark in marking.marks]
    assert names(marking)[-1] == marking.marks[-1].id


def test_undo_while_an_import_is_written_leaves_nothing_and_redo_brings_all(marking):
    take(marking, many())
    marking.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier, on=marking.dock)
    wait(marking)
    assert names(marking) == []
    marking.dock.marks.tools.redo_asked.emit()
    wait(marking)
    assert names(marking) == [mark.id for mark in many()]


def test_an_import_cancelled_while_it_is_written_leaves_nothing_of_it(marking):
    take(marking, many())
    until(lambda: bool(saving()), "the task manager shows it")
    saving()[0].cancel()
    wait(marking)
    assert marking.marks == ()
    assert names(marking) == []
    assert any("taken back" in message for message in marking.window.messages()), marking.window.messages()


def test_a_cancelled_import_leaves_the_marks_that_were_drawn_since(marking):
    marking.mark(60.5, 40.5, 0)
    take(marking, many())
    marking.mark(50.5, 40.5, 1)
    saving()[0].cancel()
    wait(marking)
    assert [mark.class_id for mark in marking.marks] == [0, 1]
    assert names(marking) == [mark.id for mark in marking.marks]


def test_the_task_manager_forgets_an_import_that_is_written(marking):
    take(marking, many())
    wait(marking)
    until(lambda: not saving(), "the task is over")


@disks.LINUX
def test_an_import_that_meets_a_full_disk_is_said_once_and_written_whole_when_there_is_room(marking):
    take(marking, many())
    with disks.full():
        until(lambda: not writer(marking).is_writing, "the writer gives up")
        until(lambda: not saving(), "so does the task")
    said = [message for message in marking.window.messages() if "marks could not be saved" in message]
    assert len(said) == 1
    marking.mark(50.5, 40.5, 1)
    wait(marking)
    assert names(marking) == [mark.id for mark in marking.marks]
    assert len(marking.marks) == COUNT + 1


def test_many_steps_undone_at_once_are_written_together(marking):
    for number in range(12):
        marking.plugin.bench.handle(
            lambda c, n=number: c.change(Verb.DRAW, (Annotation(f"step {n}", "point", ((9.5 + n, 9.5),), 1),))
        )
    wait(marking)
    marking.plugin.bench.handle(lambda controller: controller.go_to(2))
    assert writer(marking).left > 0
    wait(marking)
    assert names(marking) == ["step 0", "step 1"]


def test_a_class_of_many_marks_is_renamed_in_pieces_and_marks_that_go_meanwhile_stay_gone(marking):
    take(marking, many())
    wait(marking)
    marking.plugin.bench.handle(lambda controller: controller.edit_class(1, "soil", "#aa7744"))
    first = next(mark.id for mark in reversed(marking.marks) if mark.class_id == 1)
    marking.plugin.bench.handle(lambda controller: controller.erase((first,)))
    wait(marking)
    named = {feature["class_name"] for feature in marking.marks_layer.getFeatures() if feature["class_id"] == 1}
    assert named == {"soil"}
    assert first not in names(marking)


def test_a_project_closed_while_marks_are_written_has_all_of_them(marking):
    layer = marking.marks_layer
    take(marking, many())
    source = layer.source()
    QgsProject.instance().clear()
    assert QgsVectorLayer(source, "again", "ogr").featureCount() == COUNT
    until(lambda: not saving(), "the task is over")
