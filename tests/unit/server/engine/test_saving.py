"""What a session's network is saved as: the classes that its analyst shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from terrafine.models.infer import Predictor
from terrafine.models.registry import build
from terrafine.server.engine.engine import predict
from terrafine.server.engine.learning import saved, set_legend
from terrafine.server.model_card import card_of
from terrafine.shared.errors import BadRequest
from terrafine.shared.geo import Window, slices
from terrafine.shared.patch import Patch

SIZE = Window(0, 0, 130, 100)


@pytest.fixture
def start(make_session, noise, spec):
    """An untrained network, torn between its three classes."""
    torch.manual_seed(3)
    network = build(spec)
    with torch.no_grad():
        network.head.weight.mul_(100)
    pixels = noise(SIZE.height, SIZE.width)
    return lambda predictor=None: make_session(pixels, predictor=predictor or Predictor(spec, network))


def classes(session):
    out = np.zeros(SIZE.shape, np.uint8)
    for item in predict(session, SIZE):
        if isinstance(item, Patch):
            out[slices(item.window, SIZE)] = item.array[0]
    return out


def test_merged_and_removed_classes_are_not_saved_and_the_map_is_the_same(start):
    for becomes, ids in (((0, 2, 2), (0, 2)), ((0, -1, 2), (0, 2)), ((0, 1, 2), (0, 1, 2))):
        session = start()
        named = [replace(entry, name=f"new {entry.id}") for entry in session.legend.classes]
        set_legend(session, 0, 1, named, becomes)
        predictor, spec = saved(session, "mine", "Mine")
        assert [(entry.id, entry.name) for entry in spec.classes] == [(k, f"new {i}") for k, i in enumerate(ids)]
        again = classes(start(Predictor(spec, predictor.network)))
        assert (np.array(ids)[again] == classes(session)).mean() > 0.999  # sums round otherwise


def test_the_card_says_what_was_merged(start):
    session = start()
    first, second, third = (entry.name for entry in session.legend.classes)
    set_legend(session, 0, 1, session.legend.classes, (0, 2, 2))
    card = card_of(session, saved(session, "mine", "Mine")[1])
    assert f"| 0 {first}, 1 {third} (with {second}) |" in card


def test_a_model_needs_a_name(start):
    with pytest.raises(BadRequest):
        saved(start(), "", "Mine")
