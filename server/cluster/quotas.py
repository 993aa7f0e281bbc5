"""What each client has in all engines of a cluster together: sessions that are open, and the pixels that all hold.

Engines tell what a request has come to (`use_of`), the gateway counts, and tells an engine with each request what its
client holds anywhere. The journals say what an earlier run of the gateway knew.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Generic, NamedTuple, Optional, TypeVar

from terrafine.server.cluster.placement import Key
from terrafine.server.journal.folder import MAX_SESSIONS
from terrafine.server.journal.state import SessionState
from terrafine.server.rasters.pixels import block_bytes
from terrafine.shared import messages as m
from terrafine.shared.geo import Window

if TYPE_CHECKING:  # the gateway does without torch
    from terrafine.server.engine.sessions import Sessions

Holder = TypeVar("Holder", bound=Hashable)


class Content(NamedTuple):
    """Of a block of pixels."""

    digest: str
    nbytes: int


class Use(NamedTuple):
    """What a session takes once a request has begun.

    blocks   of pixels that the request was about, by place, as the session has them now
    is_all   it has no others
    """

    session: str
    is_open: bool
    blocks: Mapping[Window, Content]
    is_all: bool


def use_of(sessions: Sessions, client: str, message: m.Message) -> Optional[Use]:
    """Of the session that a message names, after it began; None where there is nothing to tell of one."""
    name = str(getattr(message, "session", ""))
    begins_or_ends = isinstance(message, (m.OpenSession, m.CloseSession))
    state = sessions.state(client, name)
    if state is None:
        return Use(name, False, {}, is_all=True) if begins_or_ends else None
    windows: Iterable[Window] = state.blocks if begins_or_ends else ()
    if isinstance(message, m.OfferPixels):
        windows = message.windows
    elif isinstance(message, m.PutPixels):
        windows = (message.patch.window,)
    return Use(name, sessions.is_open(client, name), _contents(state, windows), is_all=begins_or_ends)


def _contents(state: SessionState, windows: Iterable[Window]) -> dict[Window, Content]:
    """Of those blocks that the session has."""
    raster, blocks = state.opened.raster, state.blocks
    return {window: Content(blocks[window], block_bytes(raster, window)) for window in windows if window in blocks}


class Quotas(Generic[Holder]):
    """Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: defaultdict[str, OrderedDict[Key, Holder]] = defaultdict(OrderedDict)  # last used, last
        self._pixels = _Pixels()

    def held(self, client: str) -> int:
        """Bytes of the pixels of all its sessions, open or not; each content counts once."""
        with self._lock:
            return self._pixels.held[client]

    def know(self, states: Iterable[SessionState]) -> None:
        """Sessions that an earlier run has left."""
        with self._lock:
            for state in states:
                self._pixels.place((state.client, state.opened.session), _contents(state, state.blocks))

    def note(self, client: str, holder: Holder, use: Use) -> list[tuple[Key, Holder]]:
        """What a holder tells; returns the sessions, with their holders, that have no room in memory any more."""
        key = client, use.session
        with self._lock:
            if use.is_all:
                self._pixels.forget(key)
            if use.blocks:  # of a session that is closed nothing is kept
                self._pixels.place(key, use.blocks)
            own = self._open[client]
            own.pop(key, None)
            if use.is_open:
                own[key] = holder
            return [own.popitem(last=False) for _ in range(len(own) - MAX_SESSIONS)]

    def forget(self, key: Key) -> None:
        """The session is no more."""
        with self._lock:
            self._open[key[0]].pop(key, None)
            self._pixels.forget(key)

    def leave(self, holder: Holder) -> None:
        """Its sessions are open no more; their pixels lie where all engines find them."""
        with self._lock:
            for own in self._open.values():
                for key in [key for key, other in own.items() if other is holder]:
                    del own[key]


class _Pixels:
    """held: bytes by client"""

    def __init__(self) -> None:
        self.held: Counter[str] = Counter()
        self._blocks: dict[Key, dict[Window, Content]] = {}
        self._users: Counter[tuple[str, str]] = Counter()  # by client and digest

    def place(self, key: Key, blocks: Mapping[Window, Content]) -> None:
        """Contents that a session has from now on, each in the place of what was there."""
        own = self._blocks.setdefault(key, {})
        for window, content in blocks.items():
            self._use(key[0], content, 1)
            if window in own:
                self._use(key[0], own[window], -1)
            own[window] = content

    def forget(self, key: Key) -> None:
        for content in self._blocks.pop(key, {}).values():
            self._use(key[0], content, -1)

    def _use(self, client: str, content: Content, change: int) -> None:
        name, before = (client, content.digest), self._users[client, content.digest]
        self._users[name] = before + change
        self.held[client] += content.nbytes * ((before + change > 0) - (before > 0))
        if not self._users[name]:
            del self._users[name]
