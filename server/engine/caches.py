"""What the engine keeps so that a click costs little, within a budget of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Optional, TypeVar

Value = TypeVar("Value")
FEATURES_BYTES = 1 << 30
LOGITS_BYTES = 512 << 20
UNCERTAINTY_BYTES = 64 << 20
SCORES_BYTES = 16 << 20
OBJECTS_BYTES = 64 << 20


class ByteLru(Generic[Value]):
    """A mapping that forgets what was not used for longest once its values exceed `budget` bytes.

    Keys are tuples whose first element is their owner, so that an owner's values can be dropped together. For any
    number of threads.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.nbytes = 0
        self._items: OrderedDict[tuple[Hashable, ...], tuple[Value, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: tuple[Hashable, ...]) -> Optional[Value]:
        with self._lock:
            item = self._items.get(key)
            if item is None:
                return None
            self._items.move_to_end(key)
            return item[0]

    def put(self, key: tuple[Hashable, ...], value: Value, nbytes: int) -> None:
        """Keep `value`; one that is larger than the whole budget is not kept."""
        with self._lock:
            self._forget(key)
            if nbytes > self.budget:
                return
            self._items[key] = value, nbytes
            self.nbytes += nbytes
            while self.nbytes > self.budget:
                self._forget(next(iter(self._items)))

    def drop(self, owner: Hashable) -> None:
        """Forget everything that `owner` put here."""
        with self._lock:
            for key in [key for key in self._items if key[0] == owner]:
                self._forget(key)

    def clear(self) -> None:
        with self._lock:
            self._items.clear()
            self.nbytes = 0

    def _forget(self, key: tuple[Hashable, ...]) -> None:
        item = self._items.pop(key, None)
        if item is not None:
            self.nbytes -= item[1]
