"""A request that needs pixels, which are sent as the server lacks them; a large map is made meanwhile."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Iterator, Optional, Union

from terrafine.shared import messages as m
from terrafine.shared.conversation import Conversation, Exchange, unexpected
from terrafine.shared.errors import OutOfMemory, Superseded
from terrafine.shared.patch import Patch
from terrafine.shared.upload import OFFERED_BLOCKS, ReadPixels, Upload

NeedsPixels = Union[m.Predict, m.MeasureUncertainty, m.RankPatches, m.Advise, m.FindObject, m.Learn]
Item = Union[m.Message, Patch]
LEAST_PART, PARTS = 4, 32  # a map goes on when so many more blocks are there, or so great a share of all


class PixelRequest:
    """One request, which is asked until the server lacks no pixels; `last` is the kind of its final reply.

    A Predict that lacks more blocks than are offered at once is asked again before all of them are there, for what can
    be made (`after`).
    """

    def __init__(self, talk: Conversation, request: NeedsPixels, read_pixels: ReadPixels, last: type) -> None:
        self._talk, self._request, self._last = talk, request, last
        self._exchange = Exchange(talk)
        self._upload = Upload(self._exchange, request.session, read_pixels)
        self._asked: Optional[str] = None  # the id under which it waits for replies
        self._stored_before = 0  # blocks, when it was asked last
        self._made: Optional[int] = None  # patches that there are of a map that is made as its pixels come
        self._seconds: Counter[str] = Counter()  # of its parts before the last
        self._revision: Optional[int] = None  # of the patches that came
        self._is_over = False

    def replies(self) -> Iterator[Item]:
        """Progress and patches as they come, and the final reply. Of sending, until there is something of the map."""
        self._talk.begin()
        with self._exchange:
            while not self._is_over:
                if self._asked is None and self._is_worth_asking:
                    self._ask()
                yield from self._heard(wait=not self._upload.step())

    @property
    def _is_worth_asking(self) -> bool:
        if self._upload.is_over:
            return True
        part = max(LEAST_PART, self._upload.total // PARTS)
        return self._made is not None and self._upload.done >= self._stored_before + part

    def _ask(self) -> None:
        self._stored_before = self._upload.done
        request = self._request
        self._asked = self._exchange.post(
            replace(request, after=self._made) if isinstance(request, m.Predict) else request
        )

    def _heard(self, wait: bool) -> Iterator[Item]:
        """All that has come; with `wait`, something."""
        heard = self._exchange.hear() if wait else self._exchange.hear_now()
        while heard is not None:
            request_id, reply = heard
            if request_id == self._asked:
                yield from self._answered(reply)
            else:
                yield from (progress for progress in self._upload.take(request_id, reply) if not self._made)
            heard = self._exchange.hear_now() if not self._is_over else None

    def _answered(self, reply: m.Message) -> Iterator[Item]:
        if isinstance(reply, m.PatchReady):
            self._check_revision(reply.patch.revision)
            yield reply.patch
        elif isinstance(reply, m.Progress):
            yield from self._counted(reply)
        elif isinstance(reply, m.MissingPixels):
            self._lack(reply)
        elif isinstance(reply, self._last):
            self._is_over = True
            yield self._added_up(reply) if isinstance(reply, m.Done) else reply
        else:
            raise unexpected(reply)

    def _counted(self, progress: m.Progress) -> Iterator[m.Progress]:
        """That of a map in parts goes on from part to part."""
        if self._made is None:
            yield progress
        elif progress.done > self._made:
            self._made = progress.done
            yield progress

    def _lack(self, reply: m.MissingPixels) -> None:
        """Raises OutOfMemory where the server only asks for what it was sent, which it would do for ever."""
        had_all, self._asked = self._stored_before == self._upload.total, None
        if not self._upload.add(reply.windows) and had_all:
            raise OutOfMemory(
                "The server asks again for pixels that it was sent.", "Choose a smaller area, or give it more memory."
            )
        if self._made is not None:
            self._seconds.update(reply.seconds)
        elif isinstance(self._request, m.Predict) and len(reply.windows) > OFFERED_BLOCKS:
            self._made = 0

    def _added_up(self, done: m.Done) -> m.Done:
        """The seconds of all parts of the map."""
        if self._made is None:
            return done
        self._check_revision(done.revision)
        self._seconds.update(done.seconds)
        return replace(done, seconds={name: round(seconds, 6) for name, seconds in self._seconds.items()})

    def _check_revision(self, revision: int) -> None:
        """Between two parts of a map others may have changed the session. Raises Superseded."""
        if self._made is not None and self._revision not in (None, revision):
            raise Superseded("The marks were changed while the map was made.", "Ask for the map again.")
        self._revision = revision
