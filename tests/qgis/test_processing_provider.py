"""The algorithms where QGIS offers them: toolbox, models, batch and qgis_process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
)
from qgis.gui import QgsGui, QgsProcessingGui
from qgis.PyQt.QtCore import QUrl

from terrafine.qgis_plugin.processing.base import INPUT
from terrafine.tests.qgis.processing_runs import blobs, class_map, run

NAMES = {
    "classify", "refine", "uncertainty", "queries", "learn", "objects",
    "vectorise", "sieve", "majority", "statistics", "samples", "accuracy",
}  # fmt: skip


def test_every_algorithm_is_offered(provider):
    assert {algorithm.name() for algorithm in provider.algorithms()} == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_algorithm_explains_itself_and_each_of_its_parameters(provider, name):
    algorithm = provider.algorithm(name)
    assert len(algorithm.shortHelpString()) > 80
    assert algorithm.group()
    assert all(definition.help() for definition in algorithm.parameterDefinitions())
    assert Path(QUrl(algorithm.helpUrl()).toLocalFile()).is_file()


def test_numbers_are_written_with_two_decimals(provider):
    number = provider.algorithm("vectorise").parameterDefinition("TOLERANCE")
    registry, kind = QgsGui.processingGuiRegistry(), QgsProcessingGui.WidgetType.Standard
    wrapper = registry.createParameterWidgetWrapper(number, kind)
    spin = wrapper.createWrappedWidget(QgsProcessingContext())
    assert spin.text() == "1.50"
    spin.deleteLater()


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_algorithm_takes_an_extent_can_be_stopped_and_run_in_batches(provider, name):
    algorithm = provider.algorithm(name)
    assert algorithm.parameterDefinition("EXTENT") is not None
    flags = QgsProcessingAlgorithm.Flag
    assert algorithm.flags() & flags.FlagCanCancel
    assert algorithm.flags() & flags.FlagSupportsBatch


def test_loading_the_plugin_adds_the_algorithms_and_unloading_takes_them_away(analyst):
    registry = QgsApplication.processingRegistry()
    assert registry.providerById("terrafine") is not None
    analyst.plugin.unload()
    assert registry.providerById("terrafine") is None


def test_the_deliver_button_offers_algorithms_that_take_a_map(mapped):
    deliver, asked = mapped.dock.marks.deliver, []
    deliver.algorithm_asked.disconnect()  # from what would open their windows
    deliver.algorithm_asked.connect(asked.append)
    deliver.export_asked.disconnect()
    for action in deliver.menu().actions():
        action.trigger()
    assert asked == ["sieve", "vectorise", "statistics", "samples", "accuracy"]
    for name in asked:
        algorithm = QgsApplication.processingRegistry().algorithmById(f"terrafine:{name}")
        assert algorithm.parameterDefinition(INPUT).checkValueIsAcceptable(mapped.map_layer.id())


def test_algorithms_can_be_chained_in_a_model(provider, tmp_path):
    model = QgsProcessingModelAlgorithm("clean polygons", "tests")
    model.addModelParameter(QgsProcessingParameterRasterLayer("map"), QgsProcessingModelParameter("map"))
    sieve = child(model, "sieve", {"INPUT": QgsProcessingModelChildParameterSource.fromModelParameter("map")})
    polygons = child(
        model, "vectorise", {"INPUT": QgsProcessingModelChildParameterSource.fromChildOutput(sieve, "OUTPUT")}
    )
    output = QgsProcessingModelOutput("polygons")
    output.setChildId(polygons)
    output.setChildOutputName("OUTPUT")
    model.childAlgorithm(polygons).setModelOutputs({"polygons": output})
    the_map, context = class_map(tmp_path / "map.tif", blobs()), QgsProcessingContext()
    parameters = {"map": the_map, f"{polygons}:polygons": "memory:"}
    results, done = model.run(parameters, context, QgsProcessingFeedback())
    assert done
    assert context.takeResultLayer(results[f"{polygons}:polygons"]).featureCount() > 2


def child(model: QgsProcessingModelAlgorithm, name: str, sources: dict) -> str:
    """Add an algorithm to a model; returns its id there."""
    step = QgsProcessingModelChildAlgorithm(f"terrafine:{name}")
    step.setChildId(name)
    for parameter, source in sources.items():
        step.addParameterSources(parameter, [source])
    return model.addChildAlgorithm(step)


def test_a_batch_of_maps_is_worked_through_with_one_row_of_parameters_each(provider, tmp_path):
    """As QGIS's batch window does it: the same algorithm, a dictionary of parameters a row."""
    rows = []
    for number in range(3):
        the_map = class_map(tmp_path / f"map {number}.tif", np.roll(blobs(), 7 * number, axis=1))
        rows.append({"INPUT": the_map, "OUTPUT": str(tmp_path / f"sieved {number}.tif"), "SMALLEST": 20})
    results = [run("sieve", **row)[0] for row in rows]
    assert [found["OUTPUT"] for found in results] == [row["OUTPUT"] for row in rows]
    assert len({gdal.Open(row["OUTPUT"]).ReadAsArray().tobytes() for row in rows}) == 3
