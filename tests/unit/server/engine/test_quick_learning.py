"""What quick learning asks of the network: nothing that the map was made of already."""

from __future__ import annotations

import pytest
import torch

from terrafine.models.infer import Predictor
from terrafine.models.learning.learn import learn as learnt_from
from terrafine.models.registry import build
from terrafine.server.engine import learning
from terrafine.server.engine.engine import predict
from terrafine.server.engine.learning import learn
from terrafine.server.engine.session import Session
from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Window
from terrafine.shared.learning import LearnOptions
from terrafine.shared.messages import Learnt

SIZE = Window(0, 0, 130, 100)
MARKS = tuple(Annotation(name, "point", ((x, y),), c) for name, x, y, c in (("a", 20.5, 20.5, 0), ("b", 90.5, 40.5, 1)))


@pytest.fixture
def session(make_session, noise, spec) -> Session:
    torch.manual_seed(3)
    return make_session(noise(SIZE.height, SIZE.width), predictor=Predictor(spec, build(spec)))


def look(session: Session) -> None:
    for _ in predict(session, SIZE, None, ""):
        pass


def learnt(session: Session, scope: str = "head") -> Learnt:
    now = session.log.revision
    *_, last = learn(session, now, now + 1, LearnOptions(scope, 1 if scope != "head" else None))
    return last


def test_maps_that_were_looked_at_are_not_decoded_again(session, monkeypatch) -> None:
    look(session)
    session.replace(MARKS, 1)
    look(session)
    monkeypatch.setattr(Predictor, "_decoded", lambda *_: pytest.fail("decoded again"))
    monkeypatch.setattr(Predictor, "features", lambda *_: pytest.fail("looked again"))
    assert learnt(session).revision == 2


def test_maps_that_nobody_looked_at_are_learnt_from_all_the_same(session, make_session, noise) -> None:
    session.replace(MARKS, 1)
    unseen = learnt(session)
    seen = make_session(noise(SIZE.height, SIZE.width), predictor=session.weights.find("").predictor)
    look(seen)
    seen.replace(MARKS, 1)
    look(seen)
    again = learnt(seen)
    assert (unseen.right_before, unseen.right_after) == (again.right_before, again.right_after)
    for mine, other in zip(session.predictor.network.scene.parameters(), seen.predictor.network.scene.parameters()):
        assert torch.equal(mine, other)


@pytest.mark.parametrize(("scope", "threads"), [("head", 1), ("decoder", 2)])
def test_what_is_learnt_at_once_is_not_shared_out_among_threads(
    session, monkeypatch, two_threads, scope, threads
) -> None:
    used: list[int] = []
    monkeypatch.setattr(
        learning, "learnt_from", lambda *a, **k: (used.append(torch.get_num_threads()), learnt_from(*a, **k))[1]
    )
    session.replace(MARKS, 1)
    learnt(session, scope)
    assert used == [threads]
    assert torch.get_num_threads() == 2
