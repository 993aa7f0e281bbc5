"""Projects that were damaged, or that others have worked on: what is wrong is said, and nothing else is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from osgeo import ogr
from qgis.core import QgsProject

from terrafine.tests.qgis.test_keeping import reopen, save
from terrafine.tests.qgis.test_odd_use import told

pytestmark = pytest.mark.qgis


@pytest.fixture
def saved(mapped, tmp_path) -> Path:
    """A project with two marks, as a file of plain XML; it is closed."""
    mapped.mark(50.5, 40.5, 1)
    mapped.mark(90.5, 90.5, 2)
    mapped.plugin.bench.handle(lambda controller: controller.edit_class(0, "sea", "#00aaff"))
    mapped.settle()
    path = tmp_path / "project.qgs"
    save(mapped, path)
    QgsProject.instance().clear()
    return path


def file(project: Path, ending: str) -> Path:
    (found,) = (project.parent / "project_terrafine").glob(f"*{ending}")
    return found


def damage(project: Path, name: str, value: str) -> None:
    """Put something else into a property of Terrafine's in the project file."""
    text = project.read_text("utf-8")
    entry = re.compile(rf'(<Option (?=[^>]*name="terrafine/{name}")[^>]*value=")[^"]*(")')
    assert entry.search(text), f"the project has no {name}"
    project.write_text(entry.sub(rf"\g<1>{value}\g<2>", text), "utf-8")


def test_a_project_that_does_not_know_its_model_any_more_says_so_and_keeps_the_layers(mapped, saved):
    damage(saved, "model", "{&quot;broken")
    reopen(mapped, saved)
    assert mapped.controller.session is None
    assert told(mapped, "project file is damaged", "'Land cover: scene'", "import the marks")
    assert mapped.marks_layer.featureCount() == 2
    mapped.classify()
    assert mapped.controller.session is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [("network", "[[["), ("network", "{&quot;legend&quot;: 3}"), ("mapped", "1 2 x"), ("detail", "?")],
)
def test_a_broken_property_costs_what_it_said_and_no_more(mapped, saved, name, value):
    damage(saved, name, value)
    reopen(mapped, saved)
    assert len(mapped.marks) == 2
    mapped.classify()
    assert mapped.map()[40, 50] == 1


def test_a_project_file_without_its_sessions_names_opens_as_plain_layers(mapped, saved):
    damage(saved, "session", "")
    reopen(mapped, saved)
    assert mapped.controller.session is None
    assert len(QgsProject.instance().mapLayers()) == 3


def test_an_image_that_is_no_raster_layer_any_more_is_said(mapped, saved):
    damage(saved, "raster", "nothing")
    reopen(mapped, saved)
    assert mapped.controller.session is None
    assert told(mapped, "image of the map 'Land cover: scene' is no longer in the project")


@pytest.mark.parametrize(("ending", "layer"), [("_marks.gpkg", "Marks: scene"), ("_map.tif", "Land cover: scene")])
def test_a_file_that_is_missing_is_named(mapped, saved, ending, layer):
    file(saved, ending).unlink()
    reopen(mapped, saved)
    assert mapped.controller.session is None
    assert told(mapped, f"'{layer}' is missing", "Copy the folder whose name ends in _terrafine")


@pytest.mark.parametrize(("ending", "layer"), [("_marks.gpkg", "Marks: scene"), ("_map.tif", "Land cover: scene")])
def test_a_file_that_is_damaged_is_named(mapped, saved, ending, layer):
    file(saved, ending).write_bytes(b"no longer what it was" * 100)
    reopen(mapped, saved)
    assert mapped.controller.session is None
    assert told(mapped, f"'{layer}' cannot be read", "Replace it by a copy that is whole")


def test_a_marks_file_without_its_columns_is_said_to_be_damaged(mapped, saved):
    marks = ogr.Open(str(file(saved, "_marks.gpkg")), update=1)
    table = marks.GetLayerByName("marks")
    table.DeleteField(table.GetLayerDefn().GetFieldIndex("vertices"))
    del table, marks
    reopen(mapped, saved)
    assert mapped.controller.session is None
    assert told(mapped, "is damaged: it has no vertices")


def test_features_that_somebody_else_put_among_the_marks_are_counted_and_left_alone(mapped, saved):
    table = ogr.Open(str(file(saved, "_marks.gpkg")), update=1)
    layer = table.GetLayerByName("marks")
    copied = next(iter(layer)).Clone()
    copied.SetFID(-1)
    layer.CreateFeature(copied)  # twice the same mark
    layer.CreateFeature(ogr.Feature(layer.GetLayerDefn()))  # of no kind
    copied.SetFID(-1)
    copied["mark_id"], copied["class_id"] = "other", 77  # of no class
    layer.CreateFeature(copied)
    del copied, layer, table
    reopen(mapped, saved)
    assert [mark.class_id for mark in mapped.marks] == [1, 2]
    assert told(mapped, "are no marks, and do not count: 3")
    assert mapped.marks_layer.featureCount() == 5


def test_a_review_that_was_damaged_is_forgotten_and_can_begin_anew(mapped, tmp_path):
    panel = mapped.dock.look
    panel.size.setCurrentIndex(panel.size.findData(64))
    mapped.press(panel.begin)
    mapped.settle()
    project = tmp_path / "project.qgs"
    save(mapped, project)
    QgsProject.instance().clear()
    table = ogr.Open(str(file(project, "_marks.gpkg")), update=1)
    table.ExecuteSQL("UPDATE review SET state = 'who knows'")
    del table
    reopen(mapped, project)
    assert mapped.controller.session.review is None
    mapped.press(panel.begin)
    mapped.settle()
    assert mapped.controller.session.review.patches
