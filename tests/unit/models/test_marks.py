"""The columns of marks that came one after the other are those of all at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from terrafine.models.marks import Marks
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
        column = getattr(found.columns, name)
        assert column == values if name == "shapes" else np.array_equal(column, values)


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


def test_columns_say_where_the_points_are_and_what_else_there_is() -> None:
    marks = Marks([mark(1), mark(3), mark(2), mark(6)])
    columns = marks.columns
    assert columns.class_ids.tolist() == [1, 3, 2, 1]
    assert columns.places.tolist() == [1, 3]
    assert (columns.xs.tolist(), columns.ys.tolist()) == ([3.0, 6.0], [2.0, 2.0])
    assert columns.shapes == ((0, mark(1)), (2, mark(2)))
