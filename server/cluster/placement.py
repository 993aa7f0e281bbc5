"""Which engine holds which session: the one that began its first job, for as long as it is there."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, Optional, TypeVar

from terrafine.server.journal.folder import MAX_KEPT
from terrafine.shared import messages as m

Key = tuple[str, str]  # a client's identity, and its name for a session
Holder = TypeVar("Holder", bound=Hashable)


@dataclass
class _Place(Generic[Holder]):
    holder: Optional[Holder] = None
    is_closing: bool = False


class Placement(Generic[Holder]):
    """Safe between threads."""

    def __init__(self, drop: Callable[[Key, Optional[Holder]], None]) -> None:
        """`drop` is called with each session, and who holds it, that its client has no room for any more."""
        self._drop = drop
        self._lock = threading.Lock()
        self._places: OrderedDict[Key, _Place[Holder]] = OrderedDict()  # the one opened longest ago first
        self._present: dict[Holder, None] = {}

    def know(self, sessions: Iterable[Key]) -> None:
        """Sessions that an earlier run has left, the one used longest ago first."""
        with self._lock:
            self._places.update((key, _Place()) for key in sessions)

    def come(self, engine: Holder) -> None:
        """It may hold sessions from now on."""
        with self._lock:
            self._present[engine] = None

    def leave(self, engine: Holder) -> None:
        """Its sessions are for the others now."""
        with self._lock:
            self._present.pop(engine, None)
            for place in self._places.values():
                if place.holder is engine:
                    place.holder = None

    def holder(self, client: str, message: m.Message) -> Optional[Holder]:
        """Whose a session's next job is: one that nobody holds is for whoever holds fewest. None if nobody is there."""
        key = client, str(getattr(message, "session", ""))
        with self._lock:
            if isinstance(message, m.OpenSession):
                self._open(key)
            place = self._places.get(key, _Place())
            place.is_closing = isinstance(message, m.CloseSession)
            if place.holder is None:
                place.holder = self._least()
            return place.holder

    def forget(self, key: Key) -> Optional[Holder]:
        """The session is no more; returns who held it."""
        with self._lock:
            return self._places.pop(key, _Place()).holder

    def of(self, client: str) -> list[Key]:
        """All sessions of a client."""
        with self._lock:
            return [key for key in self._places if key[0] == client]

    def _open(self, key: Key) -> None:
        if key in self._places:
            return
        own = [other for other in self._places if other[0] == key[0]]
        own.sort(key=lambda other: not self._places[other].is_closing)  # what is closed goes first
        for other in own[: max(0, len(own) - MAX_KEPT + 1)]:
            self._drop(other, self._places.pop(other).holder)
        self._places[key] = _Place()

    def _least(self) -> Optional[Holder]:
        held = Counter(place.holder for place in self._places.values() if not place.is_closing)
        return min(self._present, key=lambda engine: held[engine], default=None)
