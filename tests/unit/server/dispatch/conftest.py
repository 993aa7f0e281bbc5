"""A dispatcher with one model, and one whose session has all its pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from terrafine.server.dispatch import Dispatcher
from terrafine.server.journal.folder import StateFolder
from terrafine.shared import messages as m
from terrafine.tests.unit.server.dispatch.dispatching import BLOCKS, OneModel, ask, block


@pytest.fixture
def image(noise: Callable[..., np.ndarray]) -> np.ndarray:
    return noise(150, 600)


@pytest.fixture
def dispatcher(make_session, image: np.ndarray, tmp_path: Path) -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(OneModel(make_session(image).predictor), StateFolder(tmp_path / "state"))
    yield dispatcher
    dispatcher.close()


@pytest.fixture
def opened(dispatcher: Dispatcher, image: np.ndarray, info_of) -> Dispatcher:
    """The dispatcher with a session "s" whose pixels are all there."""
    ask(dispatcher, m.OpenSession("s", "tiny", info_of(image)))
    for window in BLOCKS:
        ask(dispatcher, m.PutPixels("s", block(image, window)))
    return dispatcher
