"""Projects that were closed without saving, or marked without a server: a map that is of something else says so."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsProject, QgsRectangle

from terrafine.qgis_plugin.maps.origin import ORIGIN, UNFINISHED, drawn_from, origin, read_note
from terrafine.qgis_plugin.requests import Legend, Network, Snapshot
from terrafine.shared.annotation import Annotation
from terrafine.shared.spec import LandCover
from terrafine.tests.qgis.teaching import learn
from terrafine.tests.qgis.test_keeping import reopen, save

pytestmark = pytest.mark.qgis
BEHIND = "does not follow all of them yet"
A, B = (Annotation(name, "point", ((1.5, 1.5),), 0) for name in "AB")
WATER, LAND = LandCover(0, "water", "#0000ff"), LandCover(1, "land", "#00ff00")


def other_class(analyst, col: int, row: int) -> int:
    return (int(analyst.map()[row, col]) + 1) % 3


@pytest.fixture
def saved(mapped, tmp_path: Path):
    """The analyst with a mark, and the project saved."""
    mapped.mark(50.5, 40.5, other_class(mapped, 50, 40))
    save(mapped, tmp_path / "project.qgz")
    return mapped


# ---- the name of what a map was computed from -----------------------------------------------------------------------


def test_a_map_of_now_is_known_again():
    now = Snapshot((A, B), 7, Network("learnt"))
    assert drawn_from(origin(now), now) is now


def test_a_map_that_lacks_the_last_marks_is_known_to_have_the_first():
    now = Snapshot((A, B), 2)
    assert drawn_from(origin(Snapshot((A,), 1)), now) == Snapshot((A,), 1)


@pytest.mark.parametrize(
    "drawn",
    [Snapshot((B,), 1), Snapshot((A, B), 2), Snapshot((A,), 1, Network("learnt")), Snapshot((), 0, Network("learnt"))],
)
def test_a_map_of_other_marks_or_of_another_network_is_nobody_s(drawn):
    assert drawn_from(origin(drawn), Snapshot((A,), 1)) is None


@pytest.mark.parametrize("name", [UNFINISHED, "x", "1 2 3", "a b c d", "0" * 32 + " ² " + "0" * 32])
def test_a_name_that_means_nothing_is_that_of_no_map(name):
    assert drawn_from(name, Snapshot((A,), 1)) is None


def test_what_a_class_is_called_makes_no_other_map_but_what_it_is_merged_into_does():
    before = Snapshot((), 0, Network("", Legend((WATER, LAND), (0, 1))))
    renamed = Snapshot((), 1, Network("", Legend((WATER, LandCover(1, "soil", "#aa7744")), (0, 1))))
    merged = Snapshot((), 1, Network("", Legend((WATER, LAND), (0, 0))))
    assert drawn_from(origin(before), renamed) is renamed
    assert drawn_from(origin(before), merged) is None


# ---- projects -------------------------------------------------------------------------------------------------------


def test_a_project_that_is_opened_again_as_it_was_has_nothing_to_follow(saved, tmp_path):
    result = saved.map()
    reopen(saved, tmp_path / "project.qgz")
    assert saved.controller.work is None
    assert BEHIND not in saved.dock.status.text()
    assert np.array_equal(saved.map(), result)


def test_a_project_closed_unsaved_after_learning_shows_the_map_of_what_it_has_learnt(saved, tmp_path):
    before = saved.map()
    learn(saved)
    assert not np.array_equal(saved.map(), before)
    reopen(saved, tmp_path / "project.qgz")
    saved.settle()
    assert not saved.controller.view().has_learnt
    assert np.array_equal(saved.map(), before)


def test_without_a_server_it_says_that_the_map_is_another_and_learning_s_way_back_comes_with_one(
    saved, address, tmp_path
):
    before = saved.map()
    learn(saved)
    saved.dock.server.stop_action.trigger()
    reopen(saved, tmp_path / "project.qgz")
    assert BEHIND in saved.dock.status.text()
    saved.connect(address)
    saved.settle()
    assert np.array_equal(saved.map(), before)
    assert BEHIND not in saved.dock.status.text()


def test_a_mark_drawn_without_a_server_is_followed_when_the_project_is_opened_with_one(saved, address, tmp_path):
    saved.dock.server.stop_action.trigger()
    wrong = other_class(saved, 90, 90)
    saved.mark(90.5, 90.5, wrong)
    assert QgsProject.instance().write()
    reopen(saved, tmp_path / "project.qgz")
    session = saved.controller.session
    assert (len(session.shown.marks), len(saved.marks)) == (1, 2)
    assert BEHIND in saved.dock.status.text()
    saved.connect(address)
    saved.settle()
    assert saved.map()[90, 90] == wrong
    healed = saved.map()
    saved.classify()
    assert np.array_equal(saved.map(), healed)


def test_a_map_that_was_left_half_drawn_is_drawn_anew(saved, tmp_path):
    source, whole = saved.map_layer.source(), saved.map()
    entry = saved.plugin.bench.sessions.of(saved.controller.session)
    entry.map.note({ORIGIN: UNFINISHED})
    assert read_note(source, ORIGIN) == UNFINISHED
    reopen(saved, tmp_path / "project.qgz")
    saved.settle()
    assert np.array_equal(saved.map(), whole)
    assert read_note(source, ORIGIN) == origin(saved.controller.session.now)


def test_a_project_closed_unsaved_after_more_was_classified_knows_how_far_the_map_goes(
    analyst, address, scene, tmp_path
):
    analyst.connect(address)
    whole = analyst.open(scene).extent()
    analyst.choose_model()
    analyst.window.look_at(QgsRectangle(whole.xMinimum(), whole.yMinimum(), whole.center().x(), whole.yMaximum()))
    analyst.classify()
    save(analyst, tmp_path / "project.qgz")
    half = analyst.controller.session.mapped
    analyst.window.look_at(whole)
    analyst.classify()
    all_of_it = analyst.controller.session.mapped
    assert half.width < all_of_it.width == 160
    reopen(analyst, tmp_path / "project.qgz")
    assert analyst.controller.session.mapped == all_of_it
    analyst.window.look_at(whole)
    wrong = other_class(analyst, 150, 90)
    analyst.mark(150.5, 90.5, wrong)
    assert analyst.map()[90, 150] == wrong


def test_a_map_whose_file_does_not_say_is_taken_as_it_is(saved, tmp_path):
    source = saved.map_layer.source()
    QgsProject.instance().clear()
    os.remove(f"{source}.aux.xml")
    reopen(saved, tmp_path / "project.qgz")
    assert saved.controller.session.stale.is_empty
    assert saved.controller.work is None
