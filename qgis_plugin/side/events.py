"""Events of side information: a change of what the map is computed from, undone and redone like marks."""

from __future__ import annotations

from dataclasses import replace

from terrafine.qgis_plugin.effects import Effect, KeepMap, ShowNetwork
from terrafine.qgis_plugin.history import Verb
from terrafine.qgis_plugin.maps.events import WorkEvents
from terrafine.shared.side import SideInformation


class SideEvents(WorkEvents):
    def tell_model(self, side: SideInformation) -> list[Effect]:
        """Let the model know this and nothing else besides marks: the whole map follows."""
        if self.session is None or side == self.session.history.network.side:
            return []
        history = self.session.history
        history.become(Verb.SIDE, replace(history.network, side=side), self.session.log.take_revision())
        return [KeepMap(), ShowNetwork(), *self.refresh()]
