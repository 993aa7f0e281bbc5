"""What the engine keeps so that a click costs little, within a budget of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from itertools import islice
from math import hypot
from typing import Generic, Optional, TypeVar

from terrafine.shared.geo import Window

Value = TypeVar("Value")
Key = tuple[Hashable, ...]
OLDEST = 16  # values are looked at when one has to go,
SHARE = 8  # but of a small cache's own ones no more than an eighth: what was used lately is what is needed next
FEATURES_BYTES = 1 << 30
LOGITS_BYTES = 512 << 20
UNCERTAINTY_BYTES = 64 << 20
SCORES_BYTES = 16 << 20
OBJECTS_BYTES = 64 << 20


class ByteLru(Generic[Value]):
    """A mapping that forgets some of what was not used for long once its values exceed `budget` bytes: of the oldest,
    what the owner at work has farthest from there, so that a job that goes through a raster drives out its own first.

    Keys are tuples whose first element is their owner, so that an owner's values can be dropped together; one that is
    about a tile holds its Window, and its grid's scale behind the owner. For any number of threads.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.nbytes = 0
        self._items: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Key) -> Optional[Value]:
        with self._lock:
            item = self._items.get(key)
            if item is None:
                return None
            self._items.move_to_end(key)
            return item[0]

    def put(self, key: Key, value: Value, nbytes: int) -> None:
        """Keep `value`; one that is larger than the whole budget is not kept."""
        with self._lock:
            self._forget(key)
            if nbytes > self.budget:
                return
            self._items[key] = value, nbytes
            self.nbytes += nbytes
            while self.nbytes > self.budget:
                self._forget(self._farthest(key))

    def drop(self, owner: Hashable) -> None:
        """Forget everything that `owner` put here."""
        with self._lock:
            for key in [key for key in self._items if key[0] == owner]:
                self._forget(key)

    def clear(self) -> None:
        with self._lock:
            self._items.clear()
            self.nbytes = 0

    def _farthest(self, work: Key) -> Key:
        """Of the values that were used longest ago, the owner's farthest one; if none is the owner's, the oldest."""
        oldest = [key for key in islice(self._items, OLDEST + 1) if key != work][:OLDEST]
        own = [key for key in oldest if key[0] == work[0]][: max(1, len(self._items) // SHARE)]
        return max(own, key=lambda key: _apart(key, work)) if own else oldest[0]

    def _forget(self, key: Key) -> None:
        item = self._items.pop(key, None)
        if item is not None:
            self.nbytes -= item[1]


def _apart(one: Key, other: Key) -> float:
    """How far two tiles' centres are from each other, in raster pixels; 0 for what is not about a tile."""
    here, there = _centre(one), _centre(other)
    return 0.0 if here is None or there is None else hypot(here[0] - there[0], here[1] - there[1])


def _centre(key: Key) -> Optional[tuple[float, float]]:
    tile = next((part for part in key if isinstance(part, Window)), None)
    if tile is None:
        return None
    scale = key[1] if isinstance(key[1], float) else 1.0
    return (tile.col + tile.width / 2) / scale, (tile.row + tile.height / 2) / scale
