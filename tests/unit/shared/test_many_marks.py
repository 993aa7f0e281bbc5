"""A new mark among thousands looks at none of them: counted in how often their names are looked up."""

from __future__ import annotations

import pytest

from terrafine.qgis_plugin.link.mirror import difference
from terrafine.qgis_plugin.requests import Snapshot
from terrafine.shared.annotation import Annotation, AnnotationLog

MANY = 20_000


class CountedName(str):
    """A mark's id that counts how often anyone has looked it up or compared it."""

    looks = 0

    def __hash__(self) -> int:
        CountedName.looks += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        CountedName.looks += 1
        return super().__eq__(other)


@pytest.fixture
def log() -> AnnotationLog:
    log = AnnotationLog()
    marks = (Annotation(CountedName(i), "point", ((i % 6000 + 0.5, i // 6000 + 0.5),), i % 5) for i in range(MANY))
    log.replace(tuple(marks), 1)
    CountedName.looks = 0
    return log


def new(name: str = "new") -> Annotation:
    return Annotation(name, "point", ((5.5, 5.5),), 1)


def test_drawing_it(log) -> None:
    log.add(new())
    assert CountedName.looks == 0
    assert len(log.marks) == MANY + 1


def test_the_difference_that_is_sent(log) -> None:
    before = Snapshot(log.marks, log.revision)
    log.add(new())
    delta = difference(before, Snapshot(log.marks, log.revision))
    assert (delta.added, delta.removed, delta.places) == ((new(),), (), ())
    assert CountedName.looks == 0


def test_taking_one_back_looks_at_each_once_or_twice(log) -> None:
    before = Snapshot(log.marks, log.revision)
    log.remove("7")
    delta = difference(before, Snapshot(log.marks, log.revision))
    assert delta.removed == ("7",)
    assert CountedName.looks < 10 * MANY
