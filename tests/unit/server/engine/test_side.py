"""Side information over the dispatcher: it steers the map, it can be taken back, and what does not fit is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.server.engine.engine import predict
from terrafine.server.engine.side import set_side
from terrafine.server.engine.tile_runner import TileRunner
from terrafine.server.engine.work import Work
from terrafine.shared.errors import BadRequest, RevisionMismatch
from terrafine.shared.patch import Patch
from terrafine.shared.side import NOWHERE, SideFields, SideInformation
from terrafine.shared.spec import EncodingSpec

SIDE = 96


@pytest.fixture
def session(spec, make_session, noise):
    torch.manual_seed(0)
    spec = dataclasses.replace(
        spec, architecture="sideinfnet", encoding=EncodingSpec("onehot", 1.0), side=SideFields(("a",), (0.0,), (1.0,))
    )
    return make_session(noise(SIDE, SIDE), predictor=Predictor(spec, registry.build(spec)))


def points(*places, value=1.0):
    return SideInformation(np.array(places, np.float32), np.full((len(places), 1), value, np.float32))


def logits(session):
    return TileRunner(session, Work()).logits(session.info.grid.window)


def test_points_change_the_map_and_without_them_it_is_what_it_was(session):
    before = logits(session)
    assert set_side(session, 0, 1, points((20.5, 30.5), (60.5, 8.5))) == session.info.grid.window
    steered = logits(session)
    assert not np.array_equal(steered, before)
    set_side(session, 1, 2, points((20.5, 30.5), (60.5, 8.5), value=-1.0))
    assert not np.array_equal(logits(session), steered)
    set_side(session, 2, 3, NOWHERE)
    assert np.array_equal(logits(session), before)


def test_the_same_points_again_change_nothing(session):
    set_side(session, 0, 1, points((20.5, 30.5)))
    assert set_side(session, 1, 2, points((20.5, 30.5))).is_empty


def test_the_map_is_refreshed_from_the_revision_before(session):
    whole = session.info.grid.window
    list(predict(session, whole))
    set_side(session, 0, 1, points((20.5, 30.5)))
    assert any(isinstance(reply, Patch) for reply in predict(session, whole, changed_since=0))


def test_what_does_not_follow_or_does_not_fit_is_refused_and_changes_nothing(session):
    with pytest.raises(RevisionMismatch):
        set_side(session, 5, 6, points((1.0, 1.0)))
    wide = SideInformation(np.zeros((1, 2), np.float32), np.zeros((1, 3), np.float32))
    with pytest.raises(BadRequest, match="takes a"):
        set_side(session, 0, 1, wide)
    assert session.side is NOWHERE
    assert session.log.revision == 0


def test_a_model_that_is_told_nothing_refuses_points(make_session, noise):
    session = make_session(noise(SIDE, SIDE))
    with pytest.raises(BadRequest, match="takes no side information"):
        set_side(session, 0, 1, points((1.0, 1.0)))
