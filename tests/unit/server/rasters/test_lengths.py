from __future__ import annotations

import pytest

from terrafine.server.rasters.lengths import spoken


@pytest.mark.parametrize(
    ("metres", "words"),
    [
        (0.13204, "0.132 m"),
        (0.5, "0.5 m"),
        (30.0, "30 m"),
        (999.0, "999 m"),
        (20_100.0, "20.1 km"),
        (111_319.5, "111 km"),
        (5e-7, "0.0000005 m"),
        (40_075_000.0, "40100 km"),
    ],
)
def test_a_length_has_three_digits_and_no_exponent(metres: float, words: str) -> None:
    assert spoken(metres) == words
