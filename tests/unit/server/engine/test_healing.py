"""The shipped network around one mark: what changes lies about the mark, wherever tiles end."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from terrafine.models import registry
from terrafine.models.encoding.encode import UNMARKED, marked_pixels
from terrafine.models.infer import Predictor
from terrafine.server.engine import engine
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.geo import slices
from terrafine.shared.patch import Patch

SAND, VEGETATION = (200, 175, 140), 4
AT = (362.5, 256.5)  # 22 pixels before the second tile begins, which does not see it
REACH_PX = 112.0


@pytest.fixture(scope="module")
def sand() -> np.ndarray:
    """A large area of one colour, a little grainy: uint8 (3, 512, 896), two tiles."""
    grain = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 20, (3, 512, 896)), (0, 2, 2))
    return (np.array(SAND)[:, None, None] + grain).clip(0, 255).astype(np.uint8)


def classified(session) -> np.ndarray:
    whole = session.info.grid.window
    found = np.zeros(whole.shape, np.uint8)
    for reply in engine.predict(session, whole):
        if isinstance(reply, Patch):
            found[slices(reply.window, whole)] = reply.array[0]
    return found


def changed_by_a_mark(make_session, image: np.ndarray, predictor: Predictor) -> np.ndarray:
    """bool (rows, columns)"""
    session, mark = make_session(image, predictor=predictor), Annotation("m", "point", (AT,), VEGETATION)
    before = classified(session)
    session.change(Delta(0, 1, (mark,)))
    after, marked = classified(session), marked_pixels([mark], session.info.grid.window)
    assert (after[marked != UNMARKED] == VEGETATION).all()
    return before != after


def reaches(changed: np.ndarray) -> list[int]:
    """How far the change goes to the left, right, top and bottom of the mark, as pixels in a row."""
    col, row = (math.floor(value) for value in AT)
    lines = changed[row, :col][::-1], changed[row, col:], changed[:row, col][::-1], changed[row:, col]
    return [int(np.append(line, False).argmin()) for line in lines]


def test_on_a_uniform_area_a_mark_changes_a_round_spot_and_nothing_else(make_session, sand) -> None:
    predictor = registry.load_predictor(registry.find("landcover-rgb"))
    changed = changed_by_a_mark(make_session, sand, predictor)
    rows, cols = np.nonzero(changed)
    assert np.hypot(cols + 0.5 - AT[0], rows + 0.5 - AT[1]).max() < REACH_PX
    assert max(reaches(changed)) < 2 * min(reaches(changed))


def test_without_an_end_of_its_reach_it_changed_all_up_to_the_edge_of_its_tile(make_session, sand) -> None:
    spec, network = registry.load(registry.find("landcover-rgb"))
    network.affinity.farthest = math.inf
    left, right, *_ = reaches(changed_by_a_mark(make_session, sand, Predictor(spec, network)))
    assert left > 1.5 * REACH_PX
    assert left > 2 * right
