"""What sessions keep of what they learnt: it is counted as it is, and it ends."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import FunctionType, ModuleType

import pytest
import torch
from torch import Tensor

from terrafine.models.infer import Predictor
from terrafine.models.registry import build
from terrafine.server.engine import weights
from terrafine.server.engine.engine import predict
from terrafine.server.engine.learning import learn, use_weights
from terrafine.server.engine.session import Session
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import NotFound
from terrafine.shared.geo import Window
from terrafine.shared.learning import LearnOptions
from terrafine.shared.patch import Patch

SIZE = Window(0, 0, 130, 100)
MARKS = (Annotation("a", "point", ((20.5, 20.5),), 0), Annotation("b", "point", ((90.0, 40.0),), 1))
SCOPES = {
    "head": LearnOptions("head"),
    "decoder": LearnOptions("decoder", steps=1),
    "all": LearnOptions("all", steps=1),
}


@pytest.fixture
def session(make_session, noise, spec) -> Session:
    torch.manual_seed(3)
    session = make_session(noise(SIZE.height, SIZE.width), predictor=Predictor(spec, build(spec)))
    session.replace(MARKS, 1)
    look(session)
    return session


def look(session: Session) -> list[Patch]:
    return [item for item in predict(session, SIZE) if isinstance(item, Patch)]


def lesson(session: Session, scope: str) -> str:
    """Learn, and look at what came of it; the name of the weights."""
    now = session.log.revision
    (*_, learnt) = learn(session, now, now + 1, SCOPES[scope])
    look(session)
    return learnt.weights


def go_to(session: Session, name: str) -> None:
    use_weights(session, session.log.revision, session.log.revision + 1, name)


def storages(root: object) -> dict[int, int]:
    """The memory of all tensors that are kept alive from there, gradients and remembered maps included."""
    found = ((tensor, tensor.grad) for tensor in reachable(root) if isinstance(tensor, Tensor))
    own = [tensor.untyped_storage() for pair in found for tensor in pair if tensor is not None]
    return {storage.data_ptr(): storage.nbytes() for storage in own}


def reachable(root: object) -> Iterator[object]:
    seen, ahead = {id(root)}, [root]
    while ahead:
        yield (one := ahead.pop())
        held = one.__closure__ or () if isinstance(one, FunctionType) else gc.get_referents(one)
        new = [other for other in held if not isinstance(other, (type, ModuleType)) and id(other) not in seen]
        seen.update(map(id, new))
        ahead += new


@pytest.mark.parametrize("scope", SCOPES)
def test_what_was_learnt_and_rests_takes_the_memory_that_is_counted(session: Session, scope: str) -> None:
    for _ in range(3):
        lesson(session, scope)
    go_to(session, weights.AS_IT_CAME)
    look(session)
    came = storages(session.weights.find(weights.AS_IT_CAME))
    learnt = {place: nbytes for place, nbytes in storages(session.weights).items() if place not in came}
    assert sum(learnt.values()) == session.weights.nbytes > 0


@pytest.mark.parametrize("scope", SCOPES)
def test_memory_of_lessons_ends(session: Session, scope: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "KEPT", 2)
    taken = []
    for _ in range(6):
        lesson(session, scope)
        taken.append(sum(storages(session.weights).values()))
    assert taken[0] < taken[2]
    assert set(taken[2:]) == {taken[2]}


@pytest.mark.parametrize("scope", SCOPES)
def test_weights_that_rested_make_the_map_that_they_made(session: Session, scope: str) -> None:
    first, once = lesson(session, scope), look(session)
    lesson(session, scope)
    session.forget()
    go_to(session, first)
    assert all((patch.array == before.array).all() for patch, before in zip(look(session), once))


def test_the_model_as_it_came_does_not_rest_for_other_sessions_run_it(session: Session) -> None:
    before = storages(session.predictor)
    came = session.predictor
    lesson(session, "all")
    assert storages(came) == before


def test_what_was_learnt_longest_ago_is_forgotten_but_never_the_model_as_it_came(session, monkeypatch) -> None:
    monkeypatch.setattr(weights, "KEPT", 2)
    names = [lesson(session, "head") for _ in range(3)]
    with pytest.raises(NotFound):
        go_to(session, names[0])
    for name in ("", *names[1:]):
        go_to(session, name)


def test_what_takes_too_much_is_forgotten(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [lesson(session, "all")]
    one = session.weights.nbytes // 2
    monkeypatch.setattr(weights, "KEPT_BYTES", 3 * one)
    names += [lesson(session, "all") for _ in range(2)]
    assert session.weights.nbytes == 3 * one
    with pytest.raises(NotFound):
        session.weights.find(names[0])
    assert session.weights.find(names[1])
