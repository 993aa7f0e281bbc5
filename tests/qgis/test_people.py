"""What makes Terrafine somebody's own: the first run, help, languages, tooltips."""

from __future__ import annotations

from dataclasses import replace

import pytest
from qgis.core import QgsApplication, QgsProject
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QTextTable
from qgis.PyQt.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QDialogButtonBox,
    QLineEdit,
    QSlider,
    QTabBar,
)

from terrafine.qgis_plugin import language
from terrafine.qgis_plugin.language import install_translator, remove_translator, tr
from terrafine.qgis_plugin.settings import Settings
from terrafine.qgis_plugin.setup.place import data_folder
from terrafine.tests.qgis.analyst import Analyst, until

pytestmark = pytest.mark.qgis


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


# ---- first run ------------------------------------------------------------------------------------------------------


def test_the_first_run_offers_a_sample_that_can_be_classified(analyst, address):
    panel = analyst.dock.welcome
    assert panel.isVisible()
    analyst.press(panel.sample)
    (layer,) = QgsProject.instance().mapLayers().values()
    assert analyst.dock.map.current_raster() is layer
    assert layer.source().startswith(str(data_folder()))  # a copy: an update of the plugin does not take it away
    assert analyst.window.canvas.extent().contains(layer.extent())
    analyst.connect(address)
    analyst.choose_model()
    analyst.press(analyst.dock.map.classify)
    until(lambda: analyst.controller.session and analyst.controller.session.mapped.pixels, "its map has begun")
    analyst.press(analyst.dock.map.cancel)
    analyst.settle()


def test_a_welcome_that_was_closed_stays_so_until_it_is_asked_for(analyst, window):
    analyst.press(analyst.dock.welcome.done)
    assert not analyst.dock.welcome.isVisible()
    assert Settings.load().welcomed
    analyst.leave()
    again = Analyst(window)
    hidden = again.dock.welcome.isHidden()
    again.dock.server.welcome_asked.emit()
    shown = not again.dock.welcome.isHidden()
    again.leave()
    assert hidden
    assert shown


def test_the_welcome_ticks_off_what_was_done_and_ends_with_the_first_mark(mapped):
    panel = mapped.dock.welcome
    mapped.dock.server.welcome_asked.emit()
    assert [step.text()[0] for step in panel.steps] == ["✓", "✓", "3"]
    mapped.mark(50.5, 40.5, 0)
    assert panel.isHidden()
    mapped.dock.server.welcome_asked.emit()
    assert [step.text()[0] for step in panel.steps] == ["✓", "✓", "✓"]


def test_a_sample_that_cannot_be_copied_is_said_so(analyst, tmp_path):
    (tmp_path / "data").write_text("in the way")
    analyst.press(analyst.dock.welcome.sample)
    assert any("cannot be copied" in message for message in analyst.window.messages())
    assert not QgsProject.instance().mapLayers()


# ---- help -----------------------------------------------------------------------------------------------------------


def test_the_help_button_and_f1_open_the_user_guide(analyst):
    analyst.press(analyst.dock.help)
    guide = analyst.plugin.welcome.guide
    assert guide.isVisible()
    assert "Three jobs, step by step" in guide.toPlainText()
    guide.close()
    analyst.key(Qt.Key.Key_F1, on=analyst.dock.marks)
    assert guide.isVisible()


# ---- languages ------------------------------------------------------------------------------------------------------


def test_the_dock_speaks_french_where_qgis_does(french, window, monkeypatch):
    monkeypatch.setattr(language, "_language", lambda: "fr_CA")
    analyst = Analyst(window)
    assert analyst.dock.map.classify.text() == "Classer"
    assert analyst.dock.server.state.text() == "Pas de serveur"
    assert tr("The disk is full.") == "Le disque est plein."
    analyst.leave()
    assert tr("The disk is full.") == "The disk is full."  # the translator went with the plugin


def test_the_dock_speaks_the_language_that_qgis_was_started_in(french, window):
    QgsApplication.setTranslation("fr")  # as `qgis --lang fr` does, whatever the locale
    analyst = Analyst(window)
    words = analyst.dock.map.classify.text()
    analyst.leave()
    QgsApplication.setTranslation("en")
    assert words == "Classer"


def test_a_language_that_terrafine_does_not_speak_leaves_english(french):
    translator = install_translator("xx_YY")
    assert translator is None
    remove_translator(translator)
    assert tr("The disk is full.") == "The disk is full."


# ---- room ----------------------------------------------------------------------------------------------------------


def test_a_long_name_of_a_server_is_cut_off_and_whole_in_the_tooltip(mapped):
    state, dock = mapped.dock.server.state, mapped.dock
    narrow = dock.minimumSizeHint().width()
    view = replace(mapped.controller.view(), server="the department's very own box of GPUs " * 10)
    dock.server.show_view(view)
    assert dock.minimumSizeHint().width() == narrow
    assert view.server in state.text() == state.toolTip()
    assert state.text().endswith(" · CPU")


def test_the_window_of_saved_servers_says_what_to_do_while_there_are_none(analyst, no_saved_servers):
    analyst.dock.server.servers_asked.emit()
    window = analyst.plugin.desk.server.servers
    assert "Press Add" in window.result.text()
    analyst.press(window.add)
    assert not window.result.text()
    analyst.press(window.remove)
    assert "Press Add" in window.result.text()


def test_importing_marks_without_a_vector_layer_says_what_is_lacking(mapped):
    mapped.dock.marks.tools.import_asked.emit()
    dialog = mapped.plugin.desk.exchange.dialog
    assert "no vector layer" in dialog.words.text()
    assert not dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()
    assert without_tooltip(dialog) == []
    dialog.reject()


def test_the_measures_of_uncertainty_have_plain_words_and_their_terms_in_tooltips(mapped):
    method = mapped.dock.look.method
    at = method.findData("entropy")
    assert "classes" in method.itemText(at)
    assert method.itemData(at, Qt.ItemDataRole.ToolTipRole).startswith("entropy: ")


def test_tables_of_the_guide_have_single_lines(analyst):
    analyst.press(analyst.dock.help)
    frames = analyst.plugin.welcome.guide.document().rootFrame().childFrames()
    tables = [frame for frame in frames if isinstance(frame, QTextTable)]
    assert tables
    assert all(table.format().borderCollapse() for table in tables)


# ---- tooltips -------------------------------------------------------------------------------------------------------


def without_tooltip(part) -> list[str]:
    kinds = (QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit, QSlider)
    standard = {child for box in part.findChildren(QDialogButtonBox) for child in box.buttons()}
    return [
        f"{type(widget).__name__} '{getattr(widget, 'text', lambda: '')()}' in {type(widget.parent()).__name__}"
        for kind in kinds
        for widget in part.findChildren(kind)
        if not widget.toolTip() and widget not in standard and not _belongs_to_qt(widget) and not _is_inside(widget)
    ]


def _belongs_to_qt(widget) -> bool:
    """The buttons of a dock's title, those that fold QGIS's group boxes, and the arrows beside tabs."""
    is_arrow = isinstance(widget.parent(), QTabBar)
    return is_arrow or widget.objectName().startswith("qt_") or widget.objectName() == "collapseButton"


def _is_inside(widget) -> bool:
    """Part of a larger widget that has a tooltip: a combo box's own line, a file widget's button."""
    above = widget.parent()
    while above is not None and not above.toolTip():
        above = above.parent()
    return above is not None


def test_everything_in_the_dock_and_the_windows_has_a_tooltip(analyst):
    analyst.dock.server.servers_asked.emit()
    analyst.dock.server.setup_asked.emit()
    desk = analyst.plugin.desk.server
    assert "\n".join(without_tooltip(analyst.dock) + without_tooltip(desk.servers) + without_tooltip(desk.setup)) == ""
