"""What the server says in English, in the user's language.

A sentence that is always the same is translated as a whole. Any other is put, as it came, into a sentence that its
error's code has: what went wrong, and what to do, are said in the user's language, the particulars in the server's.
"""

from __future__ import annotations

from qgis.PyQt.QtCore import QT_TRANSLATE_NOOP

from terrafine.qgis_plugin.language import tr
from terrafine.shared.errors import TerrafineError, UnsupportedVersion

FRAMES = {
    "internal": (
        QT_TRANSLATE_NOOP("@default", "The server has failed: {detail}"),
        QT_TRANSLATE_NOOP("@default", "Try again. If that does not help, its log says more."),
    ),
    "bad_request": (
        QT_TRANSLATE_NOOP("@default", "The server refuses: {detail}"),
        QT_TRANSLATE_NOOP("@default", "Try another choice, or install the same version of plugin and server."),
    ),
    "unsupported_version": (
        QT_TRANSLATE_NOOP("@default", "The server and this plugin are of different versions: {detail}"),
        QT_TRANSLATE_NOOP("@default", "Install the same version of both."),
    ),
    "too_large": (
        QT_TRANSLATE_NOOP("@default", "That is more than the server takes: {detail}"),
        QT_TRANSLATE_NOOP("@default", "Choose a smaller area."),
    ),
    "not_found": (
        QT_TRANSLATE_NOOP("@default", "The server does not have it: {detail}"),
        QT_TRANSLATE_NOOP("@default", "Choose another model, or classify again."),
    ),
    "unusable_raster": (
        QT_TRANSLATE_NOOP("@default", "The server cannot use the raster: {detail}"),
        QT_TRANSLATE_NOOP("@default", "Convert the raster, or choose another."),
    ),
    "unusable_model": (
        QT_TRANSLATE_NOOP("@default", "The model does not go with the raster, or is broken: {detail}"),
        QT_TRANSLATE_NOOP("@default", "Choose another model."),
    ),
    "config": (
        QT_TRANSLATE_NOOP("@default", "The server cannot do that: {detail}"),
        QT_TRANSLATE_NOOP("@default", "Ask its administrator."),
    ),
    "busy": (
        QT_TRANSLATE_NOOP("@default", "The server has too much to do: {detail}"),
        QT_TRANSLATE_NOOP("@default", "Try again in a moment."),
    ),
    "out_of_memory": (
        QT_TRANSLATE_NOOP("@default", "The server has no room for this: {detail}"),
        QT_TRANSLATE_NOOP("@default", "Classify a smaller area, or ask its administrator for more room."),
    ),
    "connection_failed": (
        QT_TRANSLATE_NOOP("@default", "The server cannot be reached: {detail}"),
        QT_TRANSLATE_NOOP("@default", "Check the address and that the server runs; nothing drawn is lost."),
    ),
    "not_allowed": (
        QT_TRANSLATE_NOOP("@default", "The server does not let you in: {detail}"),
        QT_TRANSLATE_NOOP("@default", "Ask its administrator to add your key."),
    ),
}  # by code, but for those that nobody is told of

SENTENCES = (
    QT_TRANSLATE_NOOP("@default", "The map is unsure around here: it has something to learn."),
    QT_TRANSLATE_NOOP(
        "@default", "The size of the raster's pixels on the ground is unknown; the model takes them as they are."
    ),
    QT_TRANSLATE_NOOP("@default", "The server does not accept your key any more."),
    QT_TRANSLATE_NOOP("@default", "Ask its administrator to add it."),
    QT_TRANSLATE_NOOP("@default", "The server has too much to do."),
    QT_TRANSLATE_NOOP("@default", "The server ran out of memory."),
    QT_TRANSLATE_NOOP("@default", "Classify a smaller area, or close other programs."),
    QT_TRANSLATE_NOOP("@default", "The server does not hold this session (any more)."),
    QT_TRANSLATE_NOOP("@default", "The server does not hold these weights (any more)."),
    QT_TRANSLATE_NOOP("@default", "Learn again."),
    QT_TRANSLATE_NOOP("@default", "Learning ended in nonsense."),
    QT_TRANSLATE_NOOP("@default", "Its log says more."),
)  # that are always the same


WARNING = QT_TRANSLATE_NOOP("@default", "The server warns: {detail}")


def in_users_words(error: TerrafineError) -> TerrafineError:
    """What to show for an error: one of the server's is translated, one that was raised here is already."""
    return translated(error) if error.is_remote else error


def translated(error: TerrafineError) -> TerrafineError:
    """An English error in the user's language, as far as Terrafine speaks it."""
    message, hint = sentence(error.message), sentence(error.hint)
    frame, advice = FRAMES.get(error.code, ("", ""))
    is_known = message != error.message or not frame
    if is_known or (tr(frame) == frame and not isinstance(error, UnsupportedVersion)):
        return type(error)(message, hint)
    return type(error)(tr(frame).format(detail=error.message), hint if hint != error.hint else tr(advice))


def sentence(text: str) -> str:
    """A sentence of the server's in the user's language, if it is one that is always the same; else as it is."""
    return tr(text) if text else text


def warning_in_users_words(text: str) -> str:
    """What the server warns of when a raster is opened."""
    known, frame = sentence(text), tr(WARNING)
    return known if known != text or frame == WARNING else frame.format(detail=text)
