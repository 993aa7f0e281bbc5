from __future__ import annotations

import re

import pytest

from terrafine.shared import errors
from terrafine.shared.errors import BY_CODE, BadRequest, TerrafineError, error_from_code


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_a_code_gives_back_the_class_that_has_it(code):
    error = error_from_code(code, "It went wrong.", "Do this.")
    assert type(error).code == code
    assert str(error) == "It went wrong. Do this."


def test_a_code_of_a_later_version_gives_the_plain_error():
    assert type(error_from_code("volcano", "It erupted.")) is TerrafineError


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    drawn = dict(re.findall(r"── (\w+) +(\w+)", errors.__doc__ or ""))
    assert drawn == {kind.__name__: code for code, kind in BY_CODE.items() if kind is not TerrafineError}


def test_what_cannot_be_understood_is_a_bad_request():
    for code in ("too_large", "unsupported_version", "revision_mismatch"):
        assert issubclass(BY_CODE[code], BadRequest)
