"""A dispatcher for tests: a zoo of one model, and a raster's blocks to send."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from terrafine.server import dispatch
from terrafine.server.dispatch import Dispatcher
from terrafine.shared import messages as m
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import NotFound
from terrafine.shared.geo import Window, slices
from terrafine.shared.patch import Patch, digest

BLOCKS = (Window(0, 0, 512, 150), Window(512, 0, 88, 150))  # of `image`
TOO_MANY = dispatch.MAX_WINDOWS + 1
MARK = Annotation("a", "point", ((60.5, 70.5),), 2)


class OneModel:
    """A zoo that holds one model."""

    device = "cpu"

    def __init__(self, predictor) -> None:
        self._predictor = predictor

    def specs(self):
        return (self._predictor.spec,)

    def predictor(self, name: str):
        if name != self._predictor.spec.name:
            raise NotFound(f"There is no model '{name}'.")
        return self._predictor

    def digest(self, _name: str) -> str:
        return "of the only one"


def block(image: np.ndarray, window: Window) -> Patch:
    rows, cols = slices(window, Window(0, 0, image.shape[2], image.shape[1]))
    return Patch(window, image[:, rows, cols], np.ones(window.shape, bool))


def offer(session: str, image: np.ndarray) -> m.OfferPixels:
    return m.OfferPixels(session, BLOCKS, tuple(digest(block(image, window)) for window in BLOCKS))


def ask(dispatcher: Dispatcher, message: m.Message, client: str = "") -> m.Message:
    """The last reply to a message, but for its seconds."""
    *_, last = dispatcher.handle(message, client=client)
    return replace(last, seconds={})
