"""docs/features.md names tests and modules: each of them is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "features.md").read_text("utf-8")
TESTS = re.findall(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", TEXT)
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and "`tests/" in line]


def holds(path: Path, name: str) -> bool:
    """Is there such a file of tests, and the test in it, where one is named?"""
    return path.is_file() and (not name or f"def {name}(" in path.read_text("utf-8"))


def test_every_row_names_a_test_that_exists():
    assert len(TESTS) == len(ROWS) > 30
    missing = [f"{path}::{name}" for path, name in TESTS if not holds(ROOT / path, name)]
    assert missing == []


def test_a_client_s_row_has_a_test_of_its_name():
    for line in ROWS[:25]:
        title, test = line.split("|")[1].strip(), line.rsplit("::", 1)[-1].strip(" |`")
        words = re.findall(r"[a-z0-9]+", title.lower())
        assert all(word in test for word in words if len(word) > 2), f"{title}: {test}"


def test_every_module_that_is_named_exists():
    names = set(re.findall(r"`((?:[a-z]\w*/)*[a-z]\w*\.py|(?:[a-z]\w*/)+)`", TEXT))
    places = (ROOT, ROOT / "qgis_plugin")
    assert [name for name in sorted(names) if not any((place / name).exists() for place in places)] == []
