"""The rules that the plugin's zip has to keep to."""

from __future__ import annotations

import runpy
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = runpy.run_path(str(ROOT / "tools/plugin_rules.py"))
METADATA = (ROOT / "metadata.txt").read_text("utf-8")
ICON = "qgis_plugin/icons/terrafine.svg"


def of_code(text: str) -> list[str]:
    return list(RULES["of_code"](text, "m.py"))


def of_metadata(text: str) -> list[str]:
    return list(RULES["of_metadata"](text, [ICON]))


def test_terrafine_keeps_to_all_of_them(tmp_path):
    build = runpy.run_path(str(ROOT / "tools/plugin_zip.py"))["build"]
    assert RULES["problems"](str(build(tmp_path))) == []


@pytest.mark.parametrize(
    "code",
    [
        "from qgis.PyQt.QtCore import Qt\nx = Qt.LeftButton\n",
        "from qgis.core import QgsWkbTypes as W\nx = W.PointGeometry\n",
        "from qgis.core import Qgis\nx = Qgis.GeometryType.Point\n",
        "from qgis.PyQt.QtCore import QVariant\nx = QVariant.Int\n",
        "from PyQt5.QtCore import Qt\n",
        "import PyQt6.QtGui\n",
        "from qgis.PyQt.QtGui import QAction\n",
        "dialog.exec_()\n",
    ],
)
def test_what_does_not_run_alike_everywhere_is_found(code):
    (problem,) = of_code(code)
    assert problem.startswith("m.py:")


@pytest.mark.parametrize(
    "code",
    [
        "from qgis.PyQt.QtCore import Qt\nx = Qt.MouseButton.LeftButton\n",
        "from qgis.PyQt.QtCore import Qt\ndef f(key: Qt.Key) -> Qt.Key: ...\n",
        "from qgis.core import QgsPalettedRasterRenderer as R\nx = R.Class(1)\n",
        "from qgis.core import Qgis\nx = Qgis.QGIS_VERSION\n",
        "from osgeo import gdal\nx = gdal.GDT_Byte\n",
    ],
)
def test_what_does_is_left_alone(code):
    assert of_code(code) == []


@pytest.mark.parametrize("field", ["name", "about", "tracker", "icon", "hasProcessingProvider"])
def test_a_field_that_is_missing_is_named(field):
    lines = [line for line in METADATA.splitlines() if not line.startswith(f"{field}=")]
    assert any(field in problem for problem in of_metadata("\n".join(lines)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("name=Terrafine", "name=Terrafine plugin"),
        ("qgisMaximumVersion=4.99", "qgisMaximumVersion=3.99"),
        ("server=False", "supportsQt6=True"),
        ("tracker=https://", "tracker="),
        (ICON, "icons/none.svg"),
    ],
)
def test_metadata_that_the_repository_refuses_is_found(before, after):
    assert before in METADATA
    assert len(of_metadata(METADATA.replace(before, after))) == 1


@pytest.mark.parametrize(
    "name",
    ["terrafine/x.so", "terrafine/run.sh", "terrafine/__pycache__/m.py", "terrafine/.git/config", "other/m.py"],
)
def test_a_file_that_does_not_belong_into_a_plugin_is_found(tmp_path, name):
    path = tmp_path / "plugin.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for needed in ("__init__.py", "LICENSE", "metadata.txt"):
            archive.writestr(f"terrafine/{needed}", METADATA.replace(ICON, "LICENSE") if needed[0] == "m" else "")
        archive.writestr(name, "")
    assert len(RULES["problems"](str(path))) == 1
