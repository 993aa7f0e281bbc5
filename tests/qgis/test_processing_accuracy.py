"""Samples are drawn, labelled and assessed."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from qgis.core import QgsProcessingException, QgsProcessingFeedback, QgsVectorLayer

from terrafine.qgis_plugin.finish.sample_layer import REFERENCE, legend_of
from terrafine.tests.qgis.processing_runs import blobs, class_map, rows_of, run, run_for_layer

pytestmark = pytest.mark.usefixtures("provider")


@pytest.fixture
def blobs_map(tmp_path):
    return class_map(tmp_path / "carte.tif", blobs())


@pytest.fixture
def truth():
    """What is really there: the map is right but for a strip of land that it calls water."""
    truth = blobs()
    truth[:, :12][truth[:, :12] == 0] = 1
    return truth


def draw(raster, number: int = 120, **parameters):
    return run_for_layer("samples", INPUT=raster, NUMBER=number, MINIMUM=20, **parameters)


def pixel_of(feature) -> tuple[int, int]:
    """(row, column) of a sample on a map of 1 m pixels."""
    point = feature.geometry().asPoint()
    return int(2785000 - point.y()), int(point.x() - 326000)


def label(samples, truth: np.ndarray) -> None:
    """Somebody looks, and knows."""
    samples.startEditing()
    for feature in list(samples.getFeatures()):
        column = samples.fields().indexOf(REFERENCE)
        samples.changeAttributeValue(feature.id(), column, int(truth[pixel_of(feature)]))
    assert samples.commitChanges()


def test_samples_know_what_the_map_says_where_they_lie(blobs_map):
    samples = draw(blobs_map)
    found = [(pixel_of(feature), feature["map_class"]) for feature in samples.getFeatures()]
    assert all(blobs()[pixel] == class_id for pixel, class_id in found)
    assert len({pixel for pixel, _ in found}) == samples.featureCount() == 120
    assert min(sum(1 for _, found_id in found if found_id == class_id) for class_id in range(3)) == 20


def test_the_same_seed_draws_the_same_samples_another_seed_others(blobs_map):
    first, again, other = (
        [pixel_of(feature) for feature in draw(blobs_map, SEED=seed).getFeatures()] for seed in (7, 7, 8)
    )
    assert first == again != other


def test_the_form_asks_for_the_reference_by_name_and_hides_the_map_class(blobs_map):
    samples = draw(blobs_map)
    setups = {field.name(): field.editorWidgetSetup() for field in samples.fields()}
    assert setups["reference"].type() == "ValueMap"
    assert setups["reference"].config()["map"] == [{"water": "0"}, {"land": "1"}, {"building": "2"}]
    assert setups["map_class"].type() == "Hidden"


def test_samples_in_a_geopackage_bring_their_form_and_legend_along(blobs_map, tmp_path):
    target = tmp_path / "samples.gpkg"
    run("samples", INPUT=blobs_map, NUMBER=60, OUTPUT=str(target))
    samples = QgsVectorLayer(str(target), "opened in another project", "ogr")
    assert [item.name for item in legend_of(samples)] == ["water", "land", "building"]
    column = samples.fields().indexOf("reference")
    assert samples.editorWidgetSetup(column).type() == "ValueMap"
    assert [column.name for column in samples.attributeTableConfig().columns() if column.hidden] == ["map_class"]


def test_a_map_that_is_right_everywhere_is_fully_accurate(blobs_map):
    samples = draw(blobs_map)
    label(samples, blobs())
    results, context = run("accuracy", INPUT=blobs_map, SAMPLES=samples, OUTPUT="memory:")
    assert (results["OVERALL"], results["OVERALL_MARGIN"]) == (100.0, 0.0)
    rows = rows_of(context.takeResultLayer(results["OUTPUT"]))
    assert [row["users_percent"] for row in rows] == [100.0] * 3
    for row in rows:
        assert row["hectares"] == pytest.approx(row["mapped_hectares"])


def test_the_estimated_area_is_nearer_to_the_truth_than_the_mapped_one(blobs_map, truth):
    samples = draw(blobs_map, number=900)
    label(samples, truth)
    results, context = run("accuracy", INPUT=blobs_map, SAMPLES=samples, OUTPUT="memory:")
    water = rows_of(context.takeResultLayer(results["OUTPUT"]))[0]
    there = float((truth == 0).sum()) / 10_000
    assert abs(water["hectares"] - there) < water["hectares_margin"] < abs(water["mapped_hectares"] - there)


def test_the_table_and_the_matrix_are_those_of_the_samples(blobs_map, truth):
    samples = draw(blobs_map)
    label(samples, truth)
    results, context = run("accuracy", INPUT=blobs_map, SAMPLES=samples, OUTPUT="memory:", MATRIX="memory:")
    cells = rows_of(context.takeResultLayer(results["MATRIX"]))
    pairs = [(feature["map_class"], feature["reference"]) for feature in samples.getFeatures()]
    assert {(row["map_class"], row["reference"]): row["samples"] for row in cells} == {
        (i, j): pairs.count((i, j)) for i in range(3) for j in range(3)
    }
    assert sum(row["area_share"] for row in cells) == pytest.approx(1)
    (water,) = (row for row in rows_of(context.takeResultLayer(results["OUTPUT"])) if row["class_name"] == "water")
    called_so = [there for on_map, there in pairs if on_map == 0]
    assert water["users_percent"] == round(100 * called_so.count(0) / len(called_so), 2)


def test_the_report_is_one_page_with_its_pictures_inside(blobs_map, truth, tmp_path):
    samples = draw(blobs_map)
    label(samples, truth)
    target = tmp_path / "rapport.html"
    run("accuracy", INPUT=blobs_map, SAMPLES=samples, OUTPUT="memory:", REPORT=str(target))
    page = target.read_text("utf-8")
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(drawings) == 4
    for drawing in drawings:
        ElementTree.fromstring(drawing)
    assert "data:image/png;base64," in drawings[0]
    assert drawings[0].count("<circle") == samples.featureCount()
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "building" in page


class Listener(QgsProcessingFeedback):
    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []

    def pushWarning(self, warning: str) -> None:  # noqa: N802
        self.warnings.append(warning)


def test_unlabelled_samples_and_a_changed_map_are_told_of(blobs_map, truth, tmp_path):
    samples = draw(blobs_map)
    label(samples, truth)
    samples.startEditing()
    samples.changeAttributeValue(next(samples.getFeatures()).id(), 2, None)
    samples.commitChanges()
    listener = Listener()
    corrected = class_map(tmp_path / "corrected.tif", truth)
    run("accuracy", listener, INPUT=corrected, SAMPLES=samples, OUTPUT="memory:")
    assert listener.warnings[0] == "Samples without a label, left out: 1."
    assert "new samples" in listener.warnings[1]


def test_a_class_with_too_few_labels_is_named(blobs_map):
    samples = draw(blobs_map)
    label(samples, blobs())
    samples.startEditing()
    for feature in list(samples.getFeatures("map_class = 2")):
        samples.changeAttributeValue(feature.id(), 2, None)
    samples.commitChanges()
    with pytest.raises(QgsProcessingException, match="building"):
        run("accuracy", INPUT=blobs_map, SAMPLES=samples, OUTPUT="memory:")
