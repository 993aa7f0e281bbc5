"""The plugin's state machine: events in, effects out. No widgets, no layers, no sockets.

Every event is a method that returns the effects to carry out, in order. What decides a button's effect:

    link/events.py     start, connect, lose and find a server
    maps/events.py     classify, refresh, cancel, and what the server answers
    marks/events.py    draw, erase, lock, undo, redo
    learn/events.py    learn, save a model, change the legend
    look/events.py     uncertainty, and the patches to review
    objects/events.py  single objects from a box and clicks
    side/events.py     what the model is told besides marks
"""

from __future__ import annotations

from terrafine.qgis_plugin.history import History
from terrafine.qgis_plugin.learn.events import LearnEvents
from terrafine.qgis_plugin.link.events import LinkEvents
from terrafine.qgis_plugin.look.events import LookEvents
from terrafine.qgis_plugin.marks.events import MarkEvents
from terrafine.qgis_plugin.objects.events import ObjectEvents
from terrafine.qgis_plugin.side.events import SideEvents
from terrafine.qgis_plugin.state import Kind, View
from terrafine.shared.annotation import AnnotationLog


class Controller(LinkEvents, MarkEvents, LearnEvents, LookEvents, ObjectEvents, SideEvents):
    def view(self) -> View:
        session = self.session
        history = session.history if session else History(AnnotationLog(), AnnotationLog())
        work = None if self.work and self.work.kind is Kind.ADVISING else self.work
        return View(
            self.link, self.local, self.server.title, self.will_retry,
            self.device, self.models, self.model, self.class_id, self.live, work,
            session is not None and session.is_kept, len(session.log.marks) if session else 0,
            history.can_undo, history.can_redo, bool(session and session.is_behind), self.seconds,
            self.legend, bool(history.network.weights), self.advice, session.review if session else None,
            session.lesson_of_now if session else None, self.detail, session.taught if session else 0,
        )  # fmt: skip
