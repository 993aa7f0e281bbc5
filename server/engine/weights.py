"""The weights that a session had: what each learning led to, so that it can be undone and done again at once."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from terrafine.shared.errors import NotFound

if TYPE_CHECKING:  # journals know these names in the gateway, too, which does without torch
    from terrafine.models.infer import Predictor

KEPT = 16  # that were learnt last or used last
KEPT_BYTES = 512 << 20  # of what they do not share
AS_IT_CAME = ""


@dataclass(frozen=True)
class Weights:
    """A network with a name.

    encoder  the name of the weights whose encoder this is: cached features of those are good for these
    lessons  what was learnt since the model came, one line each, for a model's card
    """

    name: str
    predictor: Predictor
    encoder: str = AS_IT_CAME
    lessons: tuple[str, ...] = ()

    @cached_property
    def storages(self) -> dict[int, int]:
        """The memory that the network's tensors lie in: bytes by place."""
        storages = (tensor.untyped_storage() for tensor in self.predictor.network.state_dict().values())
        return {storage.data_ptr(): storage.nbytes() for storage in storages}


class WeightsKept:
    """By name; the current ones, and the model as it came, stay. What is learnt and not current rests.

    nbytes  memory of those that were learnt, beside what they share with the model as it came
    """

    def __init__(self, predictor: Predictor) -> None:
        self.current = Weights(AS_IT_CAME, predictor)
        self.nbytes = 0
        self._kept: OrderedDict[str, Weights] = OrderedDict({AS_IT_CAME: self.current})

    def find(self, name: str) -> Weights:
        """Raises NotFound for weights that are not here (any more)."""
        if name not in self._kept:
            raise NotFound("The server does not hold these weights (any more).", "Learn again.")
        return self._kept[name]

    def use(self, weights: Weights) -> None:
        """Make these the current ones; they replace others of their name."""
        before, self.current = self.current, weights
        self._kept[weights.name] = weights
        self._kept.move_to_end(weights.name)
        if before.name not in (AS_IT_CAME, weights.name):  # other sessions run the model as it came
            before.predictor.rest()
        self._make_room()

    def _make_room(self) -> None:
        """Forget those used longest ago; the current ones stay, however large they are."""
        old = [name for name in self._kept if name not in (AS_IT_CAME, self.current.name)]
        self.nbytes = self._count()
        while old and (len(self._kept) > KEPT + 1 or self.nbytes > KEPT_BYTES):
            del self._kept[old.pop(0)]
            self.nbytes = self._count()

    def _count(self) -> int:
        """Memory that several share counts once."""
        shared = self._kept[AS_IT_CAME].storages
        learnt = dict(chain.from_iterable(weights.storages.items() for weights in self._kept.values()))
        return sum(nbytes for place, nbytes in learnt.items() if place not in shared)


def new_name() -> str:
    """Never used before, not even by a server that ran earlier."""
    return secrets.token_hex(8)
