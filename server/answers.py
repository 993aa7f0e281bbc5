"""Replies that need no engine: to a greeting, and for what goes wrong. The gateway lives by them, without torch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import metadata

from shapely.errors import ShapelyError

from terrafine.shared import messages as m
from terrafine.shared.errors import TerrafineError
from terrafine.shared.wire import LIMITS

log = logging.getLogger(__name__)
MAX_WINDOWS = 4096  # in one MissingPixels, and so in one OfferPixels
_TOLD = 1000  # characters of an error's message: it may quote what the client wrote
# What torch, numpy, shapely and the operating system raise. torch reports exhausted memory, too, as a RuntimeError.
FOREIGN_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SystemError,
    TypeError,
    ValueError,
    ShapelyError,
)


def welcome(device: str, roots: Sequence[str] = ()) -> m.Welcome:
    limits = {**LIMITS, "windows": MAX_WINDOWS}
    return m.Welcome(f"terrafine-server {metadata.version('terrafine')}", device, limits, tuple(roots))


def failed(error: TerrafineError) -> m.Failed:
    return m.Failed(error.code, error.message[:_TOLD], error.hint[:_TOLD])


def failure(message: m.Message, error: BaseException) -> m.Failed:
    """What a client gets to know of an error that nobody foresaw; called where it was caught. The log tells all."""
    log.exception("%s failed", type(message).__name__)
    return m.Failed(TerrafineError.code, f"The server failed: {str(error)[:_TOLD]}.", "Its log says more.")
