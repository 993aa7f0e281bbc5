"""The weights that a session had: what each learning led to, so that it can be undone and done again.

Those in use are in memory; the others rest on the disk, where the session has an archive, and are read when they are
used again. So do those in use of sessions that were not used for longest, where all together take too much.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Optional, Protocol

from terrafine.shared.errors import NotFound

if TYPE_CHECKING:  # journals know these names in the gateway, too, which does without torch
    from terrafine.models.infer import Predictor

KEPT = 16  # that were learnt last or used last
KEPT_BYTES = 512 << 20  # of memory, of what they do not share: of all sessions of an engine, and of one without archive
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


class Archive(Protocol):
    """Where a session's learnt weights are on the disk."""

    def holds(self, weights: Weights) -> bool: ...

    def read(self, name: str) -> Weights:
        """Raises NotFound where they are lost."""
        ...


class WeightsKept:
    """By name; the current ones, and the model as it came, stay. What is learnt and not current rests. For any thread.

    nbytes   memory of those that were learnt, beside what they share with the model as it came; the current ones twice:
             what makes them quick takes about as much
    archive  of those that need not be in memory
    """

    def __init__(self, predictor: Predictor) -> None:
        self.nbytes = 0
        self.archive: Optional[Archive] = None
        self._came = Weights(AS_IT_CAME, predictor)
        self._current = AS_IT_CAME
        self._kept: OrderedDict[str, Optional[Weights]] = OrderedDict({AS_IT_CAME: self._came})  # None: in the archive
        self._lock = threading.RLock()

    @property
    def current(self) -> Weights:
        """Raises NotFound where they are lost."""
        return self.find(self._current)

    def find(self, name: str) -> Weights:
        """Raises NotFound for weights that are not here (any more)."""
        with self._lock:
            if name not in self._kept:
                raise NotFound("The server does not hold these weights (any more).", "Learn again.")
            weights = self._kept[name]
            if weights is None:
                weights = self._kept[name] = self._read(name)
                self.nbytes = self._count()
            return weights

    def adopt(self, archive: Archive, names: Iterable[str]) -> None:
        """Have these, that rest there."""
        self.archive = archive
        self._kept.update(dict.fromkeys(names))

    def use(self, weights: Weights) -> None:
        """Make these the current ones; they replace others of their name."""
        with self._lock:
            before, self._current = self._kept.get(self._current), weights.name
            self._kept[weights.name] = weights
            self._kept.move_to_end(weights.name)
            if before is not None and before.name not in (AS_IT_CAME, weights.name):  # others run the model as it came
                before.predictor.rest()
            self._make_room()

    def rest(self, with_current: bool = False) -> None:
        """Leave to the archive what it holds: what is not in use, or all that was learnt."""
        with self._lock:
            for weights in self._in_memory(with_current):
                if self.archive is not None and self.archive.holds(weights):
                    self._kept[weights.name] = None
            self.nbytes = self._count()

    def _read(self, name: str) -> Weights:
        if self.archive is None:
            raise NotFound("There is no archive.")
        return self.archive.read(name)

    def _make_room(self) -> None:
        """Forget those used longest ago, if there are too many or they rest nowhere; the current ones stay, however
        large they are.
        """
        old = [name for name in self._kept if name not in (AS_IT_CAME, self._current)]
        for name in old[: max(0, len(self._kept) - KEPT - 1)]:
            del self._kept[name]
        self.rest()
        for weights in self._in_memory():
            if self.nbytes <= KEPT_BYTES:
                break
            del self._kept[weights.name]
            self.nbytes = self._count()

    def _in_memory(self, with_current: bool = False) -> list[Weights]:
        """Of those learnt, the one used longest ago first."""
        spared = (AS_IT_CAME,) if with_current else (AS_IT_CAME, self._current)
        return [weights for name, weights in self._kept.items() if weights is not None and name not in spared]

    def _count(self) -> int:
        """Memory that several share counts once."""
        return self._added(self._kept) + self._added([self._current])

    def _added(self, names: Iterable[str]) -> int:
        """Bytes of these that the model as it came has not."""
        there = (weights.storages.items() for name in names if (weights := self._kept[name]) is not None)
        learnt = dict(chain.from_iterable(there))
        return sum(nbytes for place, nbytes in learnt.items() if place not in self._came.storages)


def rest_oldest(kept: Sequence[WeightsKept]) -> None:
    """Of sessions, the one used longest ago first and the one at work last: let those rest until there is room."""
    for weights in kept[:-1]:
        if sum(each.nbytes for each in kept) <= KEPT_BYTES:
            break
        weights.rest(with_current=True)


def new_name() -> str:
    """Never used before, not even by a server that ran earlier."""
    return secrets.token_hex(8)
