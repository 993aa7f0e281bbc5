"""The columns of marks that came one after the other are those of all at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from terrafine.models.encoding.marks import POINT, POLYGON, STROKE, Marks
from terrafine.shared.annotation import Annotation


def mark(number: int) -> Annotation:
    x = float(number)
    kind, vertices = (
        ("point", ((x, 2.0),)),
        ("stroke", ((x, 0.0), (x, 5.0))),
        ("polygon", ((x, 0.0), (x + 1, 0.0), (x, 1.0))),
    )[number % 3]
    return Annotation(f"m{number}", kind, vertices, number % 5)


def assert_equal(found: Marks, expected: Marks) -> None:
    assert found == expected
    assert hash(found) == hash(expected)
    for name, values in vars(expected.columns).items():
        assert np.array_equal(getattr(found.columns, name), values)


@given(st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 20), max_size=4)), max_size=8), st.booleans())
def test_columns_that_followed_are_those_of_all_marks_at_once(steps, are_known) -> None:
    """Marks come and go; their columns are asked for at each step, or at the end alone."""
    held: dict[int, Annotation] = {}
    followed = Marks()
    for is_adding, numbers in steps:
        if are_known:
            assert len(followed.columns.class_ids) == len(held)
        if is_adding:
            new = {number: mark(number) for number in numbers if number not in held}
            followed, held = followed.plus(list(new.values())), {**held, **new}
        else:
            followed = followed.without({f"m{number}" for number in numbers})
            held = {number: one for number, one in held.items() if number not in numbers}
    assert_equal(followed, Marks(held.values()))


def test_columns_say_what_the_marks_are_and_where() -> None:
    columns = Marks([mark(1), mark(3), Annotation("wide", "stroke", ((7.0, 8.0),), 2, 3.5), mark(2)]).columns
    assert columns.class_ids.tolist() == [1, 3, 2, 2]
    assert columns.kinds.tolist() == [STROKE, POINT, STROKE, POLYGON]
    assert columns.widths.tolist() == [0.0, 0.0, 3.5, 0.0]
    assert columns.counts.tolist() == [2, 1, 1, 3]
    assert columns.vertices.tolist() == [
        [1.0, 0.0], [1.0, 5.0], [3.0, 2.0], [7.0, 8.0], [2.0, 0.0], [3.0, 0.0], [2.0, 1.0],
    ]  # fmt: skip
