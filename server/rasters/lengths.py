"""Lengths as a person says them."""

from __future__ import annotations

import numpy as np

KM = 1000.0


def spoken(metres: float) -> str:
    """Three digits, in metres or kilometres: 0.132 m, 30 m, 20.1 km."""
    value, unit = (metres / KM, "km") if metres >= KM else (metres, "m")
    return f"{np.format_float_positional(value, 3, unique=False, fractional=False, trim='-')} {unit}"
