"""The plugin's words in other languages."""

from __future__ import annotations

import ast
import re
import runpy
import string
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "qgis_plugin/i18n"
LANGUAGES = sorted(path.name for path in FOLDER.glob("*.ts"))


def messages(name: str) -> list[tuple[str, str]]:
    """(English, translation)"""
    found = ElementTree.parse(FOLDER / name).getroot().iter("message")
    return [(message.findtext("source", ""), message.findtext("translation", "")) for message in found]


def fields(text: str) -> list[tuple[str, str]]:
    return sorted((name, form or "") for _, name, form, _ in string.Formatter().parse(text) if name is not None)


def test_there_is_french() -> None:
    assert "terrafine_fr.ts" in LANGUAGES


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_word_is_translated(name: str) -> None:
    assert [source for source, translation in messages(name) if not translation.strip()] == []


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_translation_has_the_fields_of_its_source(name: str) -> None:
    assert [source for source, translation in messages(name) if fields(source) != fields(translation)] == []


@pytest.mark.parametrize("name", LANGUAGES)
def test_what_is_one_line_stays_one(name: str) -> None:
    assert [source for source, words in messages(name) if source.count("\n") != words.count("\n")] == []


def test_french_has_a_space_before_its_double_signs() -> None:
    bare = re.compile(r"\w[;!?»]|\w:(?=\s|$)|«\w")
    assert [words for _, words in messages("terrafine_fr.ts") if bare.search(words)] == []


def test_french_signs_stay_with_their_words_at_a_line_s_end() -> None:
    breaking = re.compile(r"« | »| [:;!?](\s|$|»)")
    assert [words for _, words in messages("terrafine_fr.ts") if breaking.search(words)] == []


def test_no_word_hides_from_the_translators_in_an_f_string() -> None:
    """pylupdate does not look into them."""
    hidden = [
        ast.unparse(call)
        for path in (ROOT / "qgis_plugin").rglob("*.py")
        for text in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(text, ast.JoinedStr)
        for call in ast.walk(text)
        if isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")) == "tr"
    ]
    assert hidden == []


def test_gathered_words_are_tidied_without_a_change_of_meaning() -> None:
    gathered = """<message>
        <location filename="dock.py" line="12" />
        <source>Say &quot;1 &lt; 2 &amp;amp; 3&quot;, it&apos;s so</source>
    </message>"""
    tidied = runpy.run_path(str(ROOT / "tools" / "translations.py"))["tidied"](gathered)
    assert tidied.splitlines()[1] == """        <source>Say "1 &lt; 2 &amp;amp; 3", it's so</source>"""
    sources = [ElementTree.fromstring(text).findtext("source") for text in (gathered, tidied)]
    assert sources[0] == sources[1]
