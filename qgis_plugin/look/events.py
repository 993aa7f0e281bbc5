"""Events of looking where it matters: uncertainty, and the patches to review."""

from __future__ import annotations

from terrafine.qgis_plugin.effects import Effect, GoTo, ShowReview, ShowUncertainty, Tell
from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.look.review import Fate, Review
from terrafine.qgis_plugin.maps.events import WorkEvents
from terrafine.qgis_plugin.requests import MeasureUncertainty
from terrafine.qgis_plugin.state import WAITED_FOR, Kind, Link
from terrafine.shared.geo import Window
from terrafine.shared.learning import RankedPatch, RankOptions
from terrafine.shared.patch import Patch


class LookEvents(WorkEvents):
    def measure(self, window: Window, method: str, factor: int) -> list[Effect]:
        """Map how unsure the map is."""
        problem = self._why_not_look(window)
        if problem:
            return problem
        session = self.session
        request = MeasureUncertainty(self._next_job(), session.subject, session.now, window, method, factor)
        self._measuring = (method, factor)
        return self._begin(Kind.MEASURING, request, window)

    def measured(self, job: int, patch: Patch) -> list[Effect]:
        return [ShowUncertainty(patch, *self._measuring)] if self._is_current(job) else []

    def review(self, area: Window, options: RankOptions) -> list[Effect]:
        """Begin a way through an area's patches, those that are worth a look first."""
        problem = self._why_not_look(area)
        if problem:
            return problem
        self.session.review = Review(area, options)
        return self._rank()

    def ranked(self, job: int, patches: tuple[RankedPatch, ...]) -> list[Effect]:
        """The order, or after marks the new order; the user stays where he is."""
        if not self._is_current(job):
            return []
        work, session = self._end(), self.session
        begins = not session.review.patches
        session.review = session.review.ranked(patches, work.now.revision)
        shown = self.next_patch() if begins else [ShowReview()]
        return [*shown, *self._afterwards(work)]

    def next_patch(self) -> list[Effect]:
        return self._look(self.session.review.next()) if self._has_review() else []

    def end_patch(self, fate: Fate) -> list[Effect]:
        """Done with the current patch, or skip it; go to the next. The same again takes that back."""
        return self._look(self.session.review.end(fate)) if self._has_review() else []

    def look_at(self, window: Window) -> list[Effect]:
        return self._look(self.session.review.go_to(window)) if self._has_review() else []

    def end_review(self) -> list[Effect]:
        if not self._has_review():
            return []
        self.session.review = None
        return [ShowReview()]

    def _look(self, review: Review) -> list[Effect]:
        self.session.review = review
        return [ShowReview(), *([GoTo(review.current)] if review.current else [])]

    def _has_review(self) -> bool:
        return self.session is not None and self.session.review is not None

    def _why_not_look(self, window: Window) -> list[Effect]:
        if self.session is None or self.link is not Link.ONLINE:
            return [Tell(tr("There is no map to look into."), tr("Connect to a server and classify an area first."))]
        if self.work is not None and self.work.kind in WAITED_FOR:
            return [Tell(tr("The server is at work."), tr("Try again when it is done."))]
        if window.is_empty:
            return [Tell(tr("The area does not meet the map."), tr("Zoom to the map, or classify more of the image."))]
        return []
