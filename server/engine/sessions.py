"""The open sessions of all clients. Each is found by who opened it and by its name, so nobody meets another's."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from terrafine.server.engine.learning import with_legend
from terrafine.server.engine.session import Caches, Session
from terrafine.server.rasters.contents import ContentStore
from terrafine.server.rasters.pixels import BlockStore
from terrafine.server.zoo import Zoo
from terrafine.shared.errors import NotFound
from terrafine.shared.messages import OpenSession
from terrafine.shared.raster import check_fit

MAX_SESSIONS = 16  # of one client; the one it did not use for longest makes room, and it opens that again
Key = tuple[str, str]  # the client's identity, which it cannot choose, and the session's name, which it does


@dataclass(frozen=True)
class Opened:
    """A session that a client opened, and the store that its pixels go to."""

    session: Session
    store: BlockStore
    request: OpenSession

    def goes_on(self, request: OpenSession) -> bool:
        """Is this the session that is asked for? By the legend that it was opened with, or the one it has by now."""
        classes = (self.request.classes, self.session.legend.classes)
        same = (self.request.model, self.request.raster) == (request.model, request.raster)
        return same and request.classes in classes


class Sessions:
    """For one thread. `contents` and `caches` are shared in memory only: nothing in them is found by another client."""

    def __init__(self, zoo: Zoo) -> None:
        self.caches = Caches()
        self.contents = ContentStore()
        self._zoo = zoo
        self._opened: OrderedDict[Key, Opened] = OrderedDict()

    def __len__(self) -> int:
        return len(self._opened)

    def open(self, client: str, request: OpenSession) -> Session:
        """The client's session of this name; one with another raster, model or legend begins anew."""
        opened = self._opened.get((client, request.session))
        if opened is None or not opened.goes_on(request):
            opened = self._new(client, request)
        self._opened.move_to_end((client, request.session))
        return opened.session

    def find(self, client: str, name: str) -> Opened:
        """Raises NotFound for a session that this client does not have, whoever else may have one of that name."""
        if (client, name) not in self._opened:
            raise NotFound("The server does not hold this session (any more).", "Open it again.")
        self._opened.move_to_end((client, name))
        return self._opened[client, name]

    def close(self, client: str, name: str) -> None:
        """Forget a session and what only it uses; one that is not open is closed already."""
        opened = self._opened.pop((client, name), None)
        if opened is not None:
            opened.session.close()

    def close_all(self) -> None:
        """Forget all sessions and remove what they kept on disk."""
        while self._opened:
            self.close(*next(iter(self._opened)))
        self.contents.close()

    def _new(self, client: str, request: OpenSession) -> Opened:
        predictor = self._zoo.predictor(request.model)
        check_fit(request.raster, predictor.spec)
        if request.classes:
            predictor = with_legend(predictor, request.classes)
        self.close(client, request.session)
        self._make_room(client)
        store = BlockStore(request.raster, self.contents, client)
        key = (client, request.session)
        self._opened[key] = Opened(Session(request.raster, store, predictor, self.caches, key), store, request)
        return self._opened[key]

    def _make_room(self, client: str) -> None:
        own = [key for key in self._opened if key[0] == client]  # the one used longest ago first
        for key in own[: max(0, len(own) - MAX_SESSIONS + 1)]:
            self.close(*key)
