"""Events of the way to the server: OFFLINE → STARTING → CONNECTING → ONLINE → LOST → …"""

from __future__ import annotations

from terrafine.qgis_plugin.effects import Connect, Disconnect, Effect, ShowMap, StartServer, Tell, told
from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.link.servers import Server
from terrafine.qgis_plugin.maps.events import WorkEvents
from terrafine.qgis_plugin.state import Link
from terrafine.shared.errors import NotAllowed, TerrafineError
from terrafine.shared.spec import ModelSpec


class LinkEvents(WorkEvents):
    def start_server(self) -> list[Effect]:
        self.link, self.local, self.will_retry = Link.STARTING, True, False
        return [StartServer()]

    def connect(self, server: Server) -> list[Effect]:
        self.server, self.link, self.local, self.will_retry = server, Link.CONNECTING, False, False
        return [Connect(server)]

    def server_started(self, address: str) -> list[Effect]:
        self.server, self.link = Server(address), Link.CONNECTING
        return [Connect(self.server)]

    def retry(self) -> list[Effect]:
        """See whether a server elsewhere that went away has come back."""
        if self.link is not Link.LOST or not self.will_retry:
            return []
        self.link, self._is_retrying = Link.CONNECTING, True
        return [Connect(self.server)]

    def connected(self, device: str, models: tuple[ModelSpec, ...]) -> list[Effect]:
        self.link, self.device = Link.ONLINE, device
        self.take_models(models)
        self._is_retrying = False
        if self.session is None:
            self.choose_model(self.model.name if self.model else self.preferred_model)
        if not self.models:
            return [Tell(tr("The server has no models."), tr("Add one with its option --models."))]
        return [*self.model_missing(), *self._refresh_if_live()]

    def disconnect(self) -> list[Effect]:
        self.link, self.work, self.will_retry = Link.OFFLINE, None, False
        return [Disconnect(), ShowMap()]

    def connection_failed(self, error: TerrafineError) -> list[Effect]:
        """The server cannot be reached, or has gone. What was drawn is in the log and in the GeoPackage."""
        if self.local and self.link is Link.ONLINE:  # nobody can check its address
            ended = Tell(tr("The local server has ended."), tr("Start it again; everything drawn is kept."))
            return self._lost(error, ended)
        return self._lost(error, told(error))

    def server_ended(self, error: TerrafineError) -> list[Effect]:
        """The local server's process has ended, and the error says with which last words."""
        return self._lost(error, told(error))

    def _lost(self, error: TerrafineError, words: Tell) -> list[Effect]:
        if self.link in (Link.OFFLINE, Link.LOST):
            return []
        was_retrying, self._is_retrying = self._is_retrying, False
        self.will_retry = (self.link is Link.ONLINE and not self.local) or was_retrying
        self.link, self.work = Link.LOST, None
        if isinstance(error, NotAllowed):
            self.will_retry = False  # it would not be let in the next time
        return [Disconnect(), ShowMap(), *([] if self.will_retry and was_retrying else [words])]
