"""The algorithms where QGIS offers them: toolbox, models, batch and qgis_process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
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

from terrafine.tests.qgis.processing_runs import blobs, class_map

ROOT = Path(__file__).resolve().parents[2]
NAMES = {
    "classify", "refine", "uncertainty", "queries", "learn",
    "vectorise", "sieve", "majority", "statistics", "samples", "accuracy",
}  # fmt: skip
# Debian wraps the command in a script with options that it does not know.
COMMAND = shutil.which("qgis_process.bin") or shutil.which("qgis_process")


def test_every_algorithm_is_offered(provider):
    assert {algorithm.name() for algorithm in provider.algorithms()} == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_algorithm_explains_itself_and_each_of_its_parameters(provider, name):
    algorithm = provider.algorithm(name)
    assert len(algorithm.shortHelpString()) > 80
    assert algorithm.group()
    assert all(definition.help() for definition in algorithm.parameterDefinitions())


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


@pytest.mark.skipif(COMMAND is None, reason="there is no qgis_process")
def test_qgis_process_runs_an_algorithm_in_a_profile_of_its_own(tmp_path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "terrafine").symlink_to(ROOT)
    class_map(tmp_path / "map.tif", blobs())
    profile = tmp_path / "profile"
    places = {"QGIS_CUSTOM_CONFIG_PATH": str(profile), "QGIS_PLUGINPATH": str(tmp_path / "plugins")}

    def qgis_process(*words: str) -> str:
        environment = {**os.environ, **places, "QT_QPA_PLATFORM": "offscreen"}
        done = subprocess.run([COMMAND, *words], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    qgis_process("plugins", "enable", "terrafine")
    table = tmp_path / "statistics.csv"
    told = qgis_process(
        "run", "terrafine:statistics", "--json", "--", f"INPUT={tmp_path / 'map.tif'}", f"OUTPUT={table}"
    )
    assert json.loads(told[told.index("{") :])["results"]["OUTPUT"] == str(table)
    assert "building" in table.read_text("utf-8")
