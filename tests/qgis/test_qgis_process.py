"""Every algorithm from the shell: `qgis_process run terrafine:…`, with the plugin in a throw-away profile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest
from osgeo import gdal
from qgis.core import QgsVectorFileWriter, QgsVectorLayer

from terrafine.tests.qgis.processing_runs import blobs, class_map
from terrafine.tests.qgis.test_processing_accuracy import label
from terrafine.tests.qgis.test_processing_objects import BOX, boxes
from terrafine.tests.qgis.test_processing_remote import LEFT, TOP, marks

ROOT = Path(__file__).resolve().parents[2]
# Debian wraps the command in a script with options that it does not know.
COMMAND = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
pytestmark = pytest.mark.skipif(COMMAND is None, reason="there is no qgis_process")
Run = Callable[..., "dict[str, Any]"]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """qgis_process with the plugin enabled, in a profile of its own."""
    home = tmp_path_factory.mktemp("profile")
    (home / "plugins").mkdir()
    (home / "plugins" / "terrafine").symlink_to(ROOT)
    places = {"QGIS_CUSTOM_CONFIG_PATH": str(home / "qgis"), "QGIS_PLUGINPATH": str(home / "plugins")}

    def call(*words: str) -> str:
        environment = {**os.environ, **places, "QT_QPA_PLATFORM": "offscreen"}
        done = subprocess.run([COMMAND, *words], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    call("plugins", "enable", "terrafine")
    return call


@pytest.fixture
def run(shell: Callable[..., str], tmp_path: Path) -> Run:
    """Run an algorithm with parameters; returns its results. OUTPUT is a file name."""

    def call(name: str, **parameters: Any) -> dict[str, Any]:
        parameters["OUTPUT"] = tmp_path / parameters["OUTPUT"]
        words = [f"{key}={value}" for key, value in parameters.items()]
        told = shell("run", f"terrafine:{name}", "--json", "--", *words)
        return json.loads(told[told.index("{") :])["results"]

    return call


@pytest.fixture
def land_cover(tmp_path: Path) -> Path:
    class_map(tmp_path / "carte.tif", blobs())
    return tmp_path / "carte.tif"


@pytest.fixture
def served(address: str, scene: Path) -> dict[str, Any]:
    """The parameters that the algorithms with a server have in common."""
    return {"INPUT": scene, "SERVER": address, "MODEL": "tiny"}


@pytest.fixture
def marks_file(tmp_path: Path) -> Path:
    """Two marks in a file, with the names of their classes."""
    layer = marks((f"Point ({LEFT + 60.5} {TOP - 60.5})", "building"), (f"Point ({LEFT + 20.5} {TOP - 20.5})", "water"))
    return written(layer, tmp_path / "marks.gpkg")


def written(layer: QgsVectorLayer, path: Path) -> Path:
    from qgis.core import QgsCoordinateTransformContext

    options = QgsVectorFileWriter.SaveVectorOptions()
    QgsVectorFileWriter.writeAsVectorFormatV3(layer, str(path), QgsCoordinateTransformContext(), options)
    return path


def test_classify(run, served):
    assert gdal.Open(run("classify", OUTPUT="map.tif", **served)["OUTPUT"]).RasterXSize == 160


def test_refine(run, served, marks_file):
    result = run("refine", MARKS=marks_file, OUTPUT="map.tif", **served)
    assert gdal.Open(result["OUTPUT"]).ReadAsArray()[60, 60] == 2


def test_uncertainty(run, served):
    dataset = gdal.Open(run("uncertainty", OUTPUT="uncertainty.tif", **served)["OUTPUT"])
    band = dataset.GetRasterBand(1)
    values = band.ReadAsArray() * band.GetScale()
    assert 0 <= values.min() < values.max() <= 1


def test_queries(run, served):
    result = run("queries", SIZE=64, OUTPUT="patches.gpkg", **served)
    assert QgsVectorLayer(result["OUTPUT"]).featureCount() == 9


def test_learn(run, served, marks_file):
    result = run("learn", MARKS=marks_file, NAME="from-the-shell", OUTPUT="map.tif", **served)
    assert result["LEARNT_MODEL"] == "from-the-shell"
    assert 0 <= result["RIGHT_BEFORE"] <= 100


def test_objects(run, served, tmp_path):
    layer = written(boxes(BOX), tmp_path / "boxes.gpkg")
    result = run("objects", BOXES=layer, OUTPUT="objects.gpkg", **{**served, "MODEL": "finder"})
    assert (result["FOUND"], QgsVectorLayer(result["OUTPUT"]).featureCount()) == (1, 1)


def test_vectorise(run, land_cover):
    result = run("vectorise", INPUT=land_cover, TOLERANCE=1, OUTPUT="polygons.gpkg")
    assert QgsVectorLayer(result["OUTPUT"]).featureCount() > 3


@pytest.mark.parametrize(("name", "parameters"), [("sieve", {"SMALLEST": 250}), ("majority", {"RADIUS": 2})])
def test_sieve_and_majority(run, land_cover, name, parameters):
    result = run(name, INPUT=land_cover, OUTPUT="cleaned.tif", **parameters)
    assert (gdal.Open(result["OUTPUT"]).ReadAsArray() != gdal.Open(str(land_cover)).ReadAsArray()).any()


def test_statistics(run, land_cover):
    table = run("statistics", INPUT=land_cover, OUTPUT="statistics.csv")["OUTPUT"]
    assert "building" in Path(table).read_text("utf-8")


def test_samples_and_accuracy(run, land_cover, tmp_path):
    samples = QgsVectorLayer(run("samples", INPUT=land_cover, NUMBER=90, MINIMUM=20, OUTPUT="samples.gpkg")["OUTPUT"])
    label(samples, blobs())
    result = run(
        "accuracy",
        INPUT=land_cover,
        SAMPLES=tmp_path / "samples.gpkg",
        REPORT=tmp_path / "report.html",
        MATRIX=tmp_path / "matrix.csv",
        OUTPUT="accuracy.csv",
    )
    assert result["OVERALL"] == pytest.approx(100)
    assert (tmp_path / "report.html").is_file()
