"""The plugin's zip in real QGIS: the guide's jobs are done as it says, and leave the pictures that it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from qgis.PyQt.QtGui import QImage

pytestmark = [pytest.mark.qgis, pytest.mark.timeout(900)]
GUIDE = Path(__file__).resolve().parents[2] / "docs/user-guide"
PAGES = {"refine": "job-refine.md", "adapt": "job-adapt.md", "deliver": "job-deliver.md"}
BOLD = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
SHOWN = re.compile(r"!\[[^\]]*\]\(images/([\w-]+)\.png\)")


def named(page: str) -> list[str]:
    """What the numbered steps of a page print bold, in order."""
    steps = re.findall(r"^(?:\d+\. |   ).*$", (GUIDE / page).read_text("utf-8"), re.MULTILINE)
    return [" ".join(words.split()) for words in BOLD.findall("\n".join(steps))]


def test_the_jobs_of_the_guide_go_through(went):
    assert went["error"] == ""


@pytest.mark.parametrize("job", PAGES)
def test_the_guide_names_what_is_pressed_in_that_order(went, job):
    assert named(PAGES[job]) == went["used"][job]


@pytest.mark.parametrize("job", PAGES)
def test_every_picture_of_the_guide_is_one_that_was_taken(went, job):
    shown = SHOWN.findall((GUIDE / PAGES[job]).read_text("utf-8"))
    assert shown
    for name in shown:
        assert not QImage(str(went["pictures"] / f"{name}.png")).isNull()
        assert (GUIDE / f"images/{name}.png").is_file()


def test_twenty_times_loaded_and_unloaded_the_plugin_leaves_nothing_behind(went):
    assert went["left"] == {}
