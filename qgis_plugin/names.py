"""What the classes and models that ship with Terrafine are called in the user's language.

Files, projects and servers keep the English names, so that they are understood everywhere; they are translated where
people read them. Names that somebody has made up are shown as they are.
"""

from __future__ import annotations

from qgis.PyQt.QtCore import QT_TRANSLATE_NOOP

from terrafine.qgis_plugin.language import tr

CLASSES = (
    QT_TRANSLATE_NOOP("@default", "water"),
    QT_TRANSLATE_NOOP("@default", "land"),
    QT_TRANSLATE_NOOP("@default", "road"),
    QT_TRANSLATE_NOOP("@default", "building"),
    QT_TRANSLATE_NOOP("@default", "vegetation"),
    QT_TRANSLATE_NOOP("@default", "unlabelled object"),
    QT_TRANSLATE_NOOP("@default", "bare ground"),
    QT_TRANSLATE_NOOP("@default", "built-up"),
)
MODELS = (
    QT_TRANSLATE_NOOP("@default", "Land cover from RGB, six classes"),
    QT_TRANSLATE_NOOP("@default", "Start from nothing (RGB)"),
    QT_TRANSLATE_NOOP("@default", "Start from nothing (RGB and near infrared)"),
)


def shown(name: str) -> str:
    """A class's name or a model's title as the user reads it."""
    return tr(name) if name in CLASSES + MODELS else name


def stored(name: str) -> str:
    """What is stored for a class's name that the user has typed or left as it was shown: the inverse of `shown`."""
    return next((known for known in CLASSES if tr(known) == name), name)
