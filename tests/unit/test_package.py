"""What is handed out: the plugin's zip, metadata.txt, the wheel's list of packages."""

from __future__ import annotations

import ast
import configparser
import runpy
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = ("name", "description", "version", "qgisMinimumVersion", "author", "email", "about", "tracker", "repository")
OLDEST_PYTHON = (3, 9)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture(scope="module")
def plugin_zip(tmp_path_factory):
    tool = runpy.run_path(str(ROOT / "tools" / "plugin_zip.py"))
    with zipfile.ZipFile(tool["build"](tmp_path_factory.mktemp("dist"))) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "metadata.txt", encoding="utf-8")
    return parser["general"]


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_the_plugin_zip_holds_what_qgis_needs(plugin_zip):
    needed = {"metadata.txt", "__init__.py", "LICENSE", "qgis_plugin/plugin.py", "shared/client.py"}
    needed.add("docs/user-guide/index.md")
    assert {f"terrafine/{name}" for name in needed} <= set(plugin_zip.namelist())


def test_the_plugin_zip_holds_one_folder_with_the_package_name(plugin_zip):
    assert {name.split("/")[0] for name in plugin_zip.namelist()} == {"terrafine"}


def test_the_plugin_zip_holds_nothing_but_the_plugin_and_shared(plugin_zip):
    inside = {name.split("/")[1] for name in plugin_zip.namelist()}
    assert inside == {"metadata.txt", "__init__.py", "LICENSE", "requirements.txt", "qgis_plugin", "shared", "docs"}
    assert not [name for name in plugin_zip.namelist() if name.endswith((".pyc", ".so", ".dll", ".sh"))]


def test_the_plugin_zip_is_small_enough_for_the_plugin_repository(plugin_zip):
    assert Path(plugin_zip.filename).stat().st_size < 25_000_000


def test_files_in_the_plugin_zip_are_those_of_the_checkout(plugin_zip):
    for name in plugin_zip.namelist():
        assert plugin_zip.read(name) == (ROOT / name.split("/", 1)[1]).read_bytes()


@pytest.mark.parametrize("field", REQUIRED)
def test_metadata_has_every_required_field(metadata, field):
    assert metadata.get(field, "").strip()


def test_metadata_allows_qgis_3_22_to_4_99(metadata):
    assert metadata["qgisMinimumVersion"] == "3.22"
    assert metadata["qgisMaximumVersion"] == "4.99"


def test_metadata_does_not_call_the_plugin_a_plugin(metadata):
    assert "plugin" not in metadata["name"].lower()


def test_the_icon_that_metadata_names_is_in_the_zip(metadata, plugin_zip):
    assert f"terrafine/{metadata['icon']}" in plugin_zip.namelist()


def test_plugin_and_server_carry_the_same_version(metadata, project):
    assert metadata["version"] == project["project"]["version"]


def test_the_wheel_lists_every_package_of_the_server(project):
    inits = [path for folder in ("shared", "models", "server") for path in (ROOT / folder).rglob("__init__.py")]
    packages = {"terrafine", *(".".join(("terrafine", *path.parent.relative_to(ROOT).parts)) for path in inits)}
    assert set(project["tool"]["setuptools"]["packages"]) == packages


@pytest.mark.parametrize("folder", ["shared", "qgis_plugin", "models", "server"])
def test_every_file_is_written_in_the_syntax_of_python_3_9(folder):
    for path in (ROOT / folder).rglob("*.py"):
        ast.parse(path.read_text("utf-8"), str(path), feature_version=OLDEST_PYTHON)
