"""Does the plugin's zip keep to the rules of plugins.qgis.org, and its code to what QGIS 3.22 to 4 have in common?

`python tools/plugin_rules.py dist/terrafine-VERSION.zip` prints what does not, a line each; nothing means yes.
Bandit, which plugins.qgis.org runs too, is a check of its own (`make check`).
"""

from __future__ import annotations

import ast
import configparser
import re
import sys
import zipfile
from pathlib import PurePosixPath
from typing import Iterator

LARGEST = 25_000_000  # bytes
REQUIRED = ("name", "description", "about", "version", "qgisMinimumVersion", "author", "email", "tracker", "repository")
ALSO = ("homepage", "tags", "icon", "category", "changelog", "experimental", "hasProcessingProvider")
LINKS = ("tracker", "repository", "homepage")
NEWEST = "4.99"  # qgisMaximumVersion that lets QGIS 4 offer the plugin
FOREIGN = {".so", ".pyd", ".dll", ".dylib", ".exe", ".pyc", ".sh", ".bat", ".cmd", ".ps1", ".jar", ".zip"}
HIDDEN = re.compile(r"(^|/)(\.[^/]+|__MACOSX|__pycache__)(/|$)")
MISSING_IN_3_22 = {"GeometryType", "WkbType", "LayerType"}  # of Qgis
BINDINGS = {"PyQt4", "PyQt5", "PyQt6", "PySide2", "PySide6", "sip"}
GONE = {"exec_": "exec", "print_": "print"}


def problems(path: str) -> list[str]:
    """What is wrong with a plugin's zip."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        size = sum(entry.compress_size for entry in archive.infolist())
        found = [*of_layout(names), *([f"the zip has {size} bytes"] if size > LARGEST else [])]
        root = names[0].split("/")[0]
        if f"{root}/metadata.txt" in names:
            inside = [name.split("/", 1)[1] for name in names]
            found += of_metadata(archive.read(f"{root}/metadata.txt").decode("utf-8"), inside)
        for name in names:
            if name.endswith(".py"):
                found += of_code(archive.read(name).decode("utf-8"), name)
    return found


def of_layout(names: list[str]) -> Iterator[str]:
    """One folder that Python can import, with metadata, licence and code, and nothing that runs by itself."""
    roots = {name.split("/")[0] for name in names}
    if len(roots) != 1 or not min(roots).isidentifier():
        yield f"not one folder with a name that Python can import: {', '.join(sorted(roots))}"
        return
    for needed in ("metadata.txt", "LICENSE", "__init__.py"):
        if f"{min(roots)}/{needed}" not in names:
            yield f"no {needed}"
    for name in names:
        if PurePosixPath(name).suffix.lower() in FOREIGN or HIDDEN.search(name):
            yield f"{name} does not belong into a plugin"


def of_metadata(text: str, files: list[str]) -> Iterator[str]:
    """`files` are those of the plugin, relative to its folder."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    fields = parser["general"]
    for name in (*REQUIRED, *ALSO):
        if not fields.get(name, "").strip():
            yield f"metadata.txt: no {name}"
    if "plugin" in fields.get("name", "").lower():
        yield "metadata.txt: the name says plugin"
    if fields.get("qgisMaximumVersion") != NEWEST:
        yield f"metadata.txt: qgisMaximumVersion is not {NEWEST}"
    if "supportsQt6" in fields:
        yield "metadata.txt: supportsQt6 is ignored now"
    if fields.get("icon") not in files:
        yield f"metadata.txt: there is no icon {fields.get('icon')}"
    for name in LINKS:
        if not re.match(r"https?://\S+$", fields.get(name, "")):
            yield f"metadata.txt: {name} is no address"


def of_code(text: str, name: str) -> Iterator[str]:
    """What does not run alike in Qt 5 and Qt 6, or is not there in QGIS 3.22."""
    tree = ast.parse(text, name)
    for line, what in sorted({*_imports(tree), *_members(tree)}):
        yield f"{name}:{line}: {what}"


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
            if node.module == "qgis.PyQt.QtGui" and "QAction" in {alias.name for alias in node.names}:
                yield node.lineno, "QAction is in qgis.PyQt.QtWidgets everywhere"
        for module in modules:
            if module.split(".")[0] in BINDINGS:
                yield node.lineno, f"{module}: import from qgis.PyQt"


def _members(tree: ast.Module) -> Iterator[tuple[int, str]]:
    ours = _from_qgis(tree)
    scopes = _allowed(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        if node.attr in GONE:
            yield node.lineno, f"{node.attr} is gone from Qt 6: {GONE[node.attr]}"
        if not isinstance(node.value, ast.Name) or node.value.id not in ours:
            continue
        if node.value.id == "QVariant" and id(node) not in scopes:
            yield node.lineno, f"QVariant.{node.attr}: QMetaType.Type has the types"
        elif node.value.id == "Qgis" and node.attr in MISSING_IN_3_22:
            yield node.lineno, f"Qgis.{node.attr} is not in QGIS 3.22"
        elif node.attr[0].isupper() and not node.attr.isupper() and id(node) not in scopes:
            yield node.lineno, f"{node.value.id}.{node.attr}: name the enumeration, too"


def _from_qgis(tree: ast.Module) -> set[str]:
    """Names of classes that come from QGIS or Qt."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module)
    return {alias.asname or alias.name for node in imports if _is_qgis(node.module or "") for alias in node.names}


def _is_qgis(module: str) -> bool:
    return module.split(".")[0] == "qgis"


def _allowed(tree: ast.Module) -> set[int]:
    """Attributes that may name a class or an enumeration itself: called, a scope of something, in an annotation."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found.add(id(node.func))
        elif isinstance(node, ast.Attribute):
            found.add(id(node.value))
        for field in ("annotation", "returns"):
            annotation = getattr(node, field, None)
            if annotation is not None:
                found.update(id(part) for part in ast.walk(annotation))
    return found


def main() -> int:
    found = problems(sys.argv[1])
    sys.stderr.write("".join(f"{problem}\n" for problem in found))
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
