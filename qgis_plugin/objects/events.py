"""Events of single objects: a box and clicks go to the server, an outline comes back; nothing is changed by it."""

from __future__ import annotations

from typing import Optional

from terrafine.qgis_plugin.effects import Effect, ShowObject, Tell
from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.maps.events import WorkEvents
from terrafine.qgis_plugin.requests import FindObject
from terrafine.qgis_plugin.state import WAITED_FOR, Kind, Link
from terrafine.shared.messages import ObjectFound
from terrafine.shared.objects import ObjectGuide
from terrafine.shared.spec import ModelSpec


class ObjectEvents(WorkEvents):
    @property
    def finder(self) -> Optional[ModelSpec]:
        """The server's model for objects: the first whose bands the session's model sees."""
        seen = set(self.session.model.bands) if self.session else set()
        return next((model for model in self.finders if seen >= set(model.bands)), None)

    def find_object(self, guide: ObjectGuide) -> list[Effect]:
        """Have an object found; overtakes all but what is waited for, which goes on afterwards."""
        session, finder = self.session, self.finder
        if session is None or self.link is not Link.ONLINE:
            return [Tell(tr("There is no server to find objects with."), tr("Start a local server or connect to one."))]
        if finder is None:
            return [Tell(tr("The server has no model that finds objects here."), tr("Draw a polygon instead."))]
        if self.work is not None and (self.work.kind in WAITED_FOR or self.work.cancelling):
            return [Tell(tr("The server is busy with something longer."), tr("Click again when that is done."))]
        request = FindObject(self._next_job(), session.subject, session.now, finder.name, guide)
        return self._begin(Kind.FINDING, request)

    def object_found(self, job: int, found: ObjectFound) -> list[Effect]:
        """The outline of what is there, empty if nothing is."""
        if not self._is_current(job):
            return []
        return [ShowObject(found), *self._afterwards(self._end())]
