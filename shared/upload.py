"""Sending blocks of pixels, while the line, the server and the disk they are read from each do their part at once."""

from __future__ import annotations

from collections import deque
from typing import Callable, Iterable, Iterator

from terrafine.shared import messages as m
from terrafine.shared.conversation import Exchange, expected
from terrafine.shared.errors import BadRequest
from terrafine.shared.geo import Window, contains
from terrafine.shared.patch import Patch, digest

OFFERED_BLOCKS = 16  # at once, and all there are: so many wait in memory for what the server says
BLOCKS_ON_THE_WAY = 4  # sent, and not yet answered; of many blocks so many are offered, and so many read meanwhile
ReadPixels = Callable[[Window], Patch]


class Upload:
    """Offers blocks to a session and sends those whose content the server lacks.

    done  blocks that the session has, of `total` that were asked for

    Nothing here waits: `step` does what can be done now, `take` is given the replies.
    """

    def __init__(self, exchange: Exchange, session: str, read_pixels: ReadPixels) -> None:
        self.done = 0
        self.total = 0
        self._exchange, self._session, self._read_pixels = exchange, session, read_pixels
        self._asked_for: set[Window] = set()
        self._to_read: deque[Window] = deque()
        self._to_offer: list[Patch] = []
        self._offered: dict[str, list[Patch]] = {}  # by request: one or none
        self._to_send: deque[Patch] = deque()
        self._on_the_way = 0

    @property
    def is_over(self) -> bool:
        """Is nothing left to send?"""
        return self.done == self.total

    def add(self, blocks: Iterable[Window]) -> bool:
        """Send these as well; False if all of them were asked for before. Raises BadRequest for what is no block."""
        new = [block for block in blocks if _checked(block) not in self._asked_for]
        self._asked_for.update(new)
        self._to_read.extend(new)
        self.total += len(new)
        return bool(new)

    def step(self) -> bool:
        """Read, offer or send one thing; False if there is none, or it has to wait for a reply. Raises Cancelled."""
        if self._to_send and self._on_the_way < BLOCKS_ON_THE_WAY:
            self._exchange.post(m.PutPixels(self._session, self._to_send.popleft()))
            self._on_the_way += 1
        elif self._to_read and len(self._to_offer) < self._at_once:
            self._exchange.check()
            self._to_offer.append(self._read_pixels(self._to_read.popleft()))
        elif self._to_offer and not self._offered and not self._to_send:
            self._offer()
        else:
            return False
        return True

    def take(self, request_id: str, reply: m.Message) -> Iterator[m.Progress]:
        """A reply to one of its requests."""
        if request_id in self._offered:
            patches, windows = self._offered.pop(request_id), expected(reply, m.MissingPixels).windows
            lacked = [patch for patch in patches if patch.window in windows]
            self._to_send.extend(lacked)
            stored = len(patches) - len(lacked)
        else:
            expected(reply, m.PixelsStored)
            self._on_the_way -= 1
            stored = 1
        for _ in range(stored):
            self.done += 1
            yield m.Progress(self.done, self.total, "upload")

    @property
    def _at_once(self) -> int:
        """Blocks in an offer: the first of many are to be there soon."""
        return OFFERED_BLOCKS if self.total <= OFFERED_BLOCKS else BLOCKS_ON_THE_WAY

    def _offer(self) -> None:
        """Tell the server what the blocks hold."""
        patches, self._to_offer = self._to_offer, []
        offer = m.OfferPixels(self._session, tuple(patch.window for patch in patches), tuple(map(digest, patches)))
        self._offered[self._exchange.post(offer)] = patches


def _checked(window: Window) -> Window:
    size = m.UPLOAD_BLOCK_PX
    cell = Window(window.col // size * size, window.row // size * size, size, size)
    if window.is_empty or not contains(cell, window):
        raise BadRequest(f"The server asks for {window}, which is no block of the upload grid.")
    return window
