"""The feature table (docs/features.md), row by row: what comes out, as files, polygons, numbers and projects."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsApplication, QgsGeometry, QgsRasterLayer

from terrafine.qgis_plugin import language
from terrafine.qgis_plugin.words import in_users_words, sentence
from terrafine.shared.errors import error_from_code
from terrafine.tests.qgis.analyst import Analyst, until
from terrafine.tests.qgis.processing_runs import blobs, class_map, rows_of, run, run_for_layer
from terrafine.tests.qgis.test_keeping import reopen, save
from terrafine.tests.qgis.test_processing_accuracy import draw, label

pytestmark = pytest.mark.qgis


def test_styled_geotiff_with_class_names(mapped, tmp_path, monkeypatch):
    """Names, colours, overviews and nodata are in the file: any program shows it as it is."""
    monkeypatch.setattr("terrafine.qgis_plugin.maps.layer.SMALLEST_OVERVIEW_PX", 64)  # the scene has 160
    target = tmp_path / "map.tif"
    mapped.mark(50.5, 40.5, 2)
    mapped.plugin.desk.export(str(target))
    until(lambda: any("was saved" in message for message in mapped.window.messages()), "the export is there")
    layer = QgsRasterLayer(str(target), "again")
    assert [(item.label, item.color.name()) for item in layer.renderer().classes()][:3] == [
        ("water", "#4477aa"),
        ("land", "#ccbb44"),
        ("building", "#ee6677"),
    ]
    dataset = gdal.Open(str(target))
    assert np.array_equal(dataset.ReadAsArray(), mapped.map())
    band = dataset.GetRasterBand(1)
    assert band.GetNoDataValue() == 255
    assert [band.GetOverview(i).XSize for i in range(band.GetOverviewCount())] == [80, 40]
    assert set(np.unique(band.GetOverview(1).ReadAsArray())) <= set(np.unique(mapped.map()))
    assert dataset.GetMetadataItem("COMPRESSION", "IMAGE_STRUCTURE") == "DEFLATE"


def test_clean_polygons(provider, tmp_path):
    """Smoothed borders that neighbours share: no overlap, no gap, far fewer corners."""
    raster = class_map(tmp_path / "map.tif", blobs())
    jagged, clean = (run_for_layer("vectorise", INPUT=raster, TOLERANCE=tolerance) for tolerance in (0, 2))
    corners = [sum(f.geometry().constGet().nCoordinates() for f in layer.getFeatures()) for layer in (jagged, clean)]
    assert corners[1] < corners[0] / 2
    shapes = [feature.geometry() for feature in clean.getFeatures()]
    together = QgsGeometry.unaryUnion(shapes)
    assert sum(shape.area() for shape in shapes) == pytest.approx(together.area(), rel=1e-9)
    assert together.area() == pytest.approx((blobs() != 255).sum(), rel=0.02)
    assert all(shape.isGeosValid() for shape in shapes)


def test_accuracy_assessment(provider, tmp_path):
    """Stratified samples, a confusion matrix, accuracies and areas with intervals, and a report."""
    raster, truth = class_map(tmp_path / "map.tif", blobs()), blobs()
    truth[:, :12][truth[:, :12] == 0] = 1
    samples = draw(raster)
    label(samples, truth)
    report = tmp_path / "report.html"
    results, context = run(
        "accuracy", INPUT=raster, SAMPLES=samples, OUTPUT="memory:", MATRIX="memory:", REPORT=str(report)
    )
    classes = rows_of(context.takeResultLayer(results["OUTPUT"]))
    matrix = rows_of(context.takeResultLayer(results["MATRIX"]))
    assert 60 < results["OVERALL"] < 100
    assert results["OVERALL_MARGIN"] > 0
    assert {row["class_name"] for row in classes} == {"water", "land", "building"}
    assert all(row["hectares_margin"] >= 0 for row in classes)
    assert sum(row["samples"] for row in matrix) == samples.featureCount()
    assert "<html" in report.read_text("utf-8")


def test_processing_algorithms_batch_model_builder_qgis_process(provider):
    """Each is offered, explains itself, and can be stopped and run in batches.

    test_processing_provider.py chains them in a model, test_qgis_process.py runs each from the shell.
    """
    algorithms = provider.algorithms()
    assert len(algorithms) >= 11
    flags = algorithms[0].Flag
    assert all(a.flags() & flags.FlagCanCancel and a.flags() & flags.FlagSupportsBatch for a in algorithms)
    assert all(a.shortHelpString() and a.parameterDefinition("EXTENT") for a in algorithms)
    found = [QgsApplication.processingRegistry().createAlgorithmById(f"terrafine:{a.name()}") for a in algorithms]
    assert all(found)


def test_project_save_and_restore(mapped, tmp_path):
    """Map, marks, class, opacity and what is mapped come back, by relative paths."""
    mapped.mark(50.5, 40.5, 2)
    mapped.map_layer.setOpacity(0.35)
    session, result = mapped.controller.session, mapped.map()
    save(mapped, tmp_path / "project.qgs")
    assert (tmp_path / "project.qgs").read_text("utf-8").count("<datasource>./project_terrafine/") == 2
    reopen(mapped, tmp_path / "project.qgs")
    again = mapped.controller.session
    assert (again.id, again.log.marks, again.mapped) == (session.id, session.log.marks, session.mapped)
    assert np.array_equal(mapped.map(), result)
    assert mapped.map_layer.opacity() == pytest.approx(0.35)


def test_languages(french, window, monkeypatch):
    """English and French: the dock, messages, and what the server says."""
    monkeypatch.setattr(language, "_language", lambda: "fr")
    analyst = Analyst(window)
    assert analyst.dock.map.classify.text() == "Classer"
    busy = in_users_words(error_from_code("busy", "The server has too much to do.", "Try again in a moment."))
    assert busy.message == "Le serveur a trop à faire."
    full = in_users_words(error_from_code("out_of_memory", "Your rasters take 9 GB.", "Close one of them."))
    assert "pas de place" in full.message
    assert "Your rasters take 9 GB." in full.message
    advice = "The map is unsure around here: it has something to learn."
    assert sentence(advice).startswith("La carte")
    analyst.leave()
    assert sentence(advice) == advice
