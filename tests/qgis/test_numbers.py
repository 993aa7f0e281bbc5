"""Numbers are written as QGIS's language writes them."""

from __future__ import annotations

import pytest
from qgis.core import QgsApplication

from terrafine.qgis_plugin import language
from terrafine.qgis_plugin.finish.charts import Bar, bars
from terrafine.qgis_plugin.language import Number, install_translator, percent, remove_translator, significant
from terrafine.qgis_plugin.setup.recipe import gigabytes

pytestmark = pytest.mark.qgis
NARROW_SPACE, SPACE = "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"


@pytest.fixture
def speak(monkeypatch):
    """QGIS in a language."""

    def start(name: str) -> None:
        monkeypatch.setattr(QgsApplication, "locale", staticmethod(lambda: name))
        language._numbers.cache_clear()

    yield start
    language._numbers.cache_clear()


@pytest.mark.parametrize(("name", "half", "many"), [("en", "0.50", "12,345.6"), ("fr", "0,50", "12 345,6")])
def test_python_s_format_codes_write_the_user_s_signs(speak, name, half, many):
    speak(name)
    assert f"{Number(0.5):.2f}" == half
    assert f"{Number(12345.6):,.1f}".replace(NARROW_SPACE, " ").replace(SPACE, " ") == many


def test_french_sizes_have_a_comma(speak):
    speak("fr")
    assert gigabytes(1_330_000_000).startswith("1,3")


def test_a_percentage_is_written_as_the_language_has_it(speak, french):
    speak("en")
    assert percent(0.805, 1) == "80.5%"
    speak("fr")
    translator = install_translator("fr")
    assert percent(0.805, 1) == f"80,5{NARROW_SPACE}%"
    assert percent(0.95) == f"95{NARROW_SPACE}%"
    remove_translator(translator)


@pytest.mark.parametrize(
    ("value", "words"), [(20_100.0, "20,100"), (0.01234, "0.0123"), (99.96, "100"), (1.5e6, "1,500,000"), (0.0, "0")]
)
def test_significant_digits_need_no_exponent(speak, value, words):
    speak("en")
    assert significant(value, 3) == words


def test_a_chart_of_large_areas_has_no_exponents(speak):
    speak("en")
    drawn = bars("Areas", [[Bar("water", "#0000ff", 20_123.4, 1_512.3)]], 40_000.0, " ha")
    assert "20,120 ha ± 1,510" in drawn
    assert "40,000 ha" in drawn
    assert "e+" not in drawn
