"""Names that ship with Terrafine are read in the user's language, and stored as they came."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qgis.PyQt.QtCore import Qt

from terrafine.qgis_plugin import names
from terrafine.qgis_plugin.language import install_translator, remove_translator
from terrafine.qgis_plugin.legend.class_dialog import ClassDialog
from terrafine.qgis_plugin.legend.own_classes_dialog import OwnClassesDialog
from terrafine.qgis_plugin.marks.features import FeatureMarks
from terrafine.shared.spec import LandCover
from terrafine.tests.qgis.teaching import category_names, legend

pytestmark = pytest.mark.qgis
ZOO = Path(names.__file__).resolve().parents[1] / "models/zoo"
CLASSES = (LandCover(0, "water", "#0000ff"), LandCover(1, "land", "#ffcc99"), LandCover(2, "Weiher", "#00ff00"))


@pytest.fixture
def in_french(french):
    translator = install_translator("fr")
    yield
    remove_translator(translator)


def test_every_class_and_title_of_the_models_that_ship_is_known():
    models = [json.loads(path.read_text("utf-8")) for path in ZOO.glob("*/model.json")]
    mapping = [model for model in models if model.get("task", "map") == "map"]
    assert mapping
    assert {item["name"] for model in models for item in model["classes"]} == set(names.CLASSES)
    assert {model["title"] for model in mapping} == set(names.MODELS)


def test_known_names_are_translated_and_found_again_and_others_stay(in_french):
    assert [names.shown(item.name) for item in CLASSES] == ["eau", "sol", "Weiher"]
    assert [names.stored(word) for word in ("eau", "sol", "Weiher", "Eau")] == ["water", "land", "Weiher", "Eau"]


def test_names_are_as_they_are_in_english():
    assert all(names.shown(name) == name == names.stored(name) for name in (*names.CLASSES, "Weiher"))


def test_a_class_that_is_edited_and_left_as_it_was_shown_keeps_its_name(in_french):
    dialog = ClassDialog(CLASSES[1:], CLASSES[0])
    assert (dialog.name.text(), dialog.class_name()) == ("eau", "water")
    dialog.name.setText("Sol")
    assert dialog.problem.text()  # it would read like the other one
    dialog.deleteLater()


def test_own_classes_begin_as_they_are_read_and_are_those_that_the_model_knows(in_french):
    dialog = OwnClassesDialog(CLASSES)
    assert [row.name.text() for row in dialog.rows] == ["eau", "sol", "Weiher"]
    assert dialog.classes() == CLASSES
    dialog.deleteLater()


def test_marks_are_imported_by_either_name(in_french):
    maker = FeatureMarks("class", None, None, CLASSES, 5.0)
    assert [maker._class_of(value) for value in ("eau", "Water", "weiher", 1)] == [0, 0, 2, 1]


def test_legend_layers_and_history_read_french_and_the_files_english(in_french, mapped):
    assert legend(mapped) == ["eau", "sol", "bâtiment"]
    assert [entry.label for entry in mapped.map_layer.renderer().classes()] == ["eau", "sol", "bâtiment"]
    mapped.mark(50.5, 40.5, 1)
    steps = mapped.dock.history.steps
    assert steps.item(steps.count() - 1).text().startswith("Point\u00a0: sol")
    (feature,) = mapped.marks_layer.getFeatures()
    assert feature["class_name"] == "land"
    assert category_names(mapped) == ["water", "land", "building"]
    mapped.key(Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier, on=mapped.dock.marks.legend)
    menu = mapped.dock.marks.legend_tools.merge_menu
    assert [action.text() for action in menu.actions()][1:] == ["eau", "bâtiment"]
    menu.close()
