"""Classes added, renamed, merged and removed, against a real server: in the dock, the map's file and the project."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import QgsVectorLayer
from qgis.PyQt.QtCore import Qt

from terrafine.qgis_plugin.legend.palette import COLORS, fresh
from terrafine.tests.qgis.teaching import (
    NAMES,
    STRIPES,
    add_class,
    category_names,
    learn,
    legend,
    palette,
    pick,
)
from terrafine.tests.qgis.test_keeping import reopen, save

pytestmark = pytest.mark.qgis
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


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
    assert [action.text() for action in menu.actions()] == ["Merge 'lake' into", "wood", "sand"]
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
