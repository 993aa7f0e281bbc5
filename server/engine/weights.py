"""The weights that a session had: what each learning led to, so that it can be undone and done again at once."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from terrafine.shared.errors import NotFound

if TYPE_CHECKING:  # journals know these names in the gateway, too, which does without torch
    from terrafine.models.infer import Predictor

KEPT = 16  # that were learnt last or used last
KEPT_BYTES = 512 << 20  # of what they do not share with each other
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


class WeightsKept:
    """By name; the current ones, and the model as it came, stay."""

    def __init__(self, predictor: Predictor) -> None:
        self.current = Weights(AS_IT_CAME, predictor)
        self._kept: OrderedDict[str, Weights] = OrderedDict({AS_IT_CAME: self.current})

    def find(self, name: str) -> Weights:
        """Raises NotFound for weights that are not here (any more)."""
        if name not in self._kept:
            raise NotFound("The server does not hold these weights (any more).", "Learn again.")
        return self._kept[name]

    def use(self, weights: Weights) -> None:
        """Make these the current ones; they replace others of their name."""
        self.current = self._kept[weights.name] = weights
        self._kept.move_to_end(weights.name)
        while len(self._kept) > KEPT + 1 or _bytes(self._kept.values()) > KEPT_BYTES:
            oldest = next((name for name in self._kept if name not in (AS_IT_CAME, weights.name)), None)
            if oldest is None:
                return
            del self._kept[oldest]


def new_name() -> str:
    """Never used before, not even by a server that ran earlier."""
    return secrets.token_hex(8)


def _bytes(kept: Iterable[Weights]) -> int:
    """Memory of all of them together; tensors that they share count once."""
    tensors = (tensor for weights in kept for tensor in weights.predictor.network.state_dict().values())
    storages = {tensor.data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())
