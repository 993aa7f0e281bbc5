"""The user's language: words outside of widgets are translated here; widgets have Qt's own `self.tr`.

`make package` compiles i18n/terrafine_LANGUAGE.ts into the .qm file that is loaded, and `make translations` gathers the
words anew.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Optional

import numpy as np
from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QCoreApplication, QLocale, QTranslator

FOLDER = Path(__file__).resolve().parent / "i18n"
CONTEXT = "@default"  # where pylupdate files the words of a bare tr()


def tr(text: str) -> str:
    """The text in the user's language, else as it is."""
    return QCoreApplication.translate(CONTEXT, text)


def named(name: str, what: str) -> str:
    """A name and what there is to say of it, with a colon as the user's language sets it."""
    return tr("{name}: {what}").format(name=name, what=what)


def grouped(number: int) -> str:
    """A number with the thousands kept apart as the user's language does: 1,240 in English is 1.24 in French."""
    return _numbers().toString(number)


class Number(float):
    """A number that Python's format codes write as the user's language does: f"{Number(1.5):.2f}" is 1,50 in French."""

    def __format__(self, code: str) -> str:
        locale = _numbers()
        signs = {",": locale.groupSeparator(), ".": locale.decimalPoint()}
        return super().__format__(code).translate(str.maketrans(signs))


def percent(share: float, decimals: int = 0) -> str:
    """A share of 1: 12.5% in English is 12,5 % in French, with a narrow space at which no line is broken."""
    return tr("{number}%").format(number=f"{Number(100 * share):.{decimals}f}")


def significant(value: float, digits: int) -> str:
    """A number to so many significant digits, however large or small it is: 20,100 rather than 2.01e+04."""
    rounded = np.format_float_positional(value, digits, unique=False, fractional=False, trim="-")
    decimals = len(rounded.partition(".")[2])
    return f"{Number(rounded):,.{decimals}f}"


@lru_cache(maxsize=1)
def _numbers() -> QLocale:
    """How QGIS's language writes numbers; QGIS keeps its language as long as it runs."""
    locale = QLocale(QgsApplication.locale())
    locale.setNumberOptions(QLocale.NumberOption.DefaultNumberOptions)
    return locale


def install_translator(language: str = "") -> Optional[QTranslator]:
    """Have Terrafine speak `language` ("fr", "fr_CA"), by default QGIS's; None where it speaks only English."""
    language = language or _language()
    translator = QTranslator()
    if not translator.load(str(FOLDER / f"terrafine_{language[:2]}.qm")):
        return None
    QCoreApplication.installTranslator(translator)
    return translator


def _language() -> str:
    """The language of QGIS's own words, which need not be the locale's: `qgis --lang fr`."""
    application = QgsApplication.instance()
    return application.translation() or application.locale()


def remove_translator(translator: Optional[QTranslator]) -> None:
    if translator is not None:
        QCoreApplication.removeTranslator(translator)
