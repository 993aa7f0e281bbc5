from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from terrafine.server.engine.legend import Legend
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import BadRequest
from terrafine.shared.spec import LandCover

CLASSES = tuple(LandCover(i, name, "#00ff00") for i, name in enumerate(("water", "land", "trees", "grass")))


def softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    powers = np.exp((logits - logits.max(0)) / temperature)
    return powers / powers.sum(0)


@st.composite
def tables(draw) -> tuple[int, ...]:
    """What four classes become, at least one itself."""
    shown = draw(st.sets(st.integers(0, 3), min_size=1))
    return tuple(i if i in shown else draw(st.sampled_from([-1, *sorted(shown)])) for i in range(4))


@given(tables(), st.lists(st.floats(-9, 9, width=32), min_size=4, max_size=4), st.sampled_from([0.3, 1.0, 4.0]))
def test_a_merged_class_has_the_probabilities_of_all_it_is_made_of(becomes, values, temperature: float) -> None:
    legend = Legend.of(CLASSES).checked_change(CLASSES, becomes)
    logits = np.array(values, np.float32)[:, None, None]
    merged = legend.merged(torch.from_numpy(logits), temperature).numpy()
    before, after = softmax(logits, temperature)[:, 0, 0], softmax(merged, temperature)
    expected = [sum(before[i] for i in range(4) if becomes[i] == shown) for shown in legend.shown]
    np.testing.assert_allclose(after[:, 0, 0], np.array(expected) / sum(expected), atol=1e-5)


def test_the_map_names_the_classes_that_are_shown_by_their_ids() -> None:
    legend = Legend.of(CLASSES).checked_change(CLASSES, (-1, 1, 1, 3))
    logits = np.array([[9.0, 9.0, 9.0], [0.0, 1.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.5, 1.8]], np.float32)[:, None, :]
    assert legend.classified(legend.merged(torch.from_numpy(logits))).tolist() == [[3, 1, 3]]


def test_a_mark_counts_for_what_its_class_became_or_not_at_all() -> None:
    legend = Legend.of(CLASSES).checked_change(CLASSES, (-1, 1, 1, 3))
    marks = [Annotation(str(i), "point", ((1.0, 1.0),), i) for i in range(4)]
    counted = [legend.counted(mark) for mark in marks]
    assert counted[0] is None
    assert [(mark.id, mark.class_id) for mark in counted[1:]] == [("1", 1), ("2", 1), ("3", 3)]


def test_classes_are_added_at_the_end_and_renamed() -> None:
    more = (LandCover(0, "sea", "#0000ff"), *CLASSES[1:], LandCover(4, "solar panels", "#000080"))
    assert Legend.of(CLASSES).checked_change(more, (0, 1, 2, 3, 4)) == Legend.of(more)


@pytest.mark.parametrize(
    ("classes", "becomes", "problem"),
    [
        (CLASSES[:3], (0, 1, 2), "3 classes, 4 before"),
        ((*CLASSES, LandCover(5, "x", "#000000")), (0, 1, 2, 3, 4), "count up"),
        (CLASSES, (1, 2, 2, 3), "becomes itself"),
        (CLASSES, (0, 1, 2, 4), "becomes itself"),
        (CLASSES, (0, 1, 2), "becomes itself"),
        (CLASSES, (-1, -1, -1, -1), "no class is left"),
        (tuple(LandCover(i, "x", "#000000") for i in range(256)), tuple(range(256)), "255 classes"),
    ],
)
def test_a_legend_that_cannot_follow_is_refused(classes, becomes, problem: str) -> None:
    with pytest.raises(BadRequest, match=problem):
        Legend.of(CLASSES).checked_change(classes, becomes)
