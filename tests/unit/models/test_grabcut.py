"""GrabCut a class: marks on a picture of plain colours claim all of their colour."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from terrafine.models import registry
from terrafine.shared.spec import EncodingSpec, LandCover, ModelSpec, Normalisation

pytest.importorskip("cv2", reason="GrabCut is OpenCV's")
CLASSES = tuple(LandCover(i, f"class {i}", f"#{i:06x}") for i in range(3))
SPEC = ModelSpec(
    "cut", "Cut", "grabcut", "none", ("red", "green", "blue"), CLASSES, 0.5, Normalisation((0.5,) * 3, (0.5,) * 3),
    EncodingSpec("onehot", 1.0), 64, 16,
)  # fmt: skip
COLOURS = np.array([[0.1, 0.2, 0.8], [0.8, 0.7, 0.2], [0.2, 0.7, 0.2]])


@pytest.fixture
def scene():
    """Three stripes of 32 columns with a little noise, as the network sees it; and the truth."""
    truth = np.repeat(np.arange(3), 32)[None].repeat(64, 0)
    noise = np.random.default_rng(0).normal(0, 0.02, (64, 96, 3))
    image = (COLOURS[truth] + noise - 0.5) / 0.5
    return torch.from_numpy(image.transpose(2, 0, 1)[None]).float(), truth


def strokes(*places):
    """Upright strokes of a class through the middle, at these columns."""
    marks = torch.zeros(1, 3, 64, 96)
    for class_id, col in places:
        marks[0, class_id, 8:56, col] = 1.0
    return marks


def test_every_class_claims_its_colour(scene):
    image, truth = scene
    found = registry.build(SPEC)(image, strokes((0, 10), (1, 60), (2, 90)))[0].argmax(0).numpy()
    assert (found == truth).mean() > 0.98
    nearest = np.abs(np.arange(96)[:, None] - [10, 60, 90]).argmin(1)
    assert (nearest[None].repeat(64, 0) == truth).mean() < 0.9  # the colours did it, not the distances


def test_one_class_alone_has_everything_and_without_marks_nothing_is_known(scene):
    image, _ = scene
    network = registry.build(SPEC)
    assert (network(image, strokes((2, 10)))[0].argmax(0) == 2).all()
    assert not network(image, torch.zeros(1, 3, 64, 96)).any()


def test_marks_are_obeyed(scene):
    image, _ = scene
    marks = strokes((0, 10), (1, 20), (2, 90))
    found = registry.build(SPEC)(image, marks)[0].argmax(0)
    assert (found[marks[0].amax(0) > 0] == marks[0].argmax(0)[marks[0].amax(0) > 0]).all()
