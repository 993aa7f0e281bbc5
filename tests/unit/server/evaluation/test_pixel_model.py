"""Starting from nothing: the zoo's forest through the engine, from the first marks to a map."""

from __future__ import annotations

import numpy as np

from terrafine.models import registry
from terrafine.server.engine import learning
from terrafine.server.engine.engine import predict
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.geo import slices
from terrafine.shared.learning import LearnOptions
from terrafine.shared.patch import Patch
from terrafine.shared.spec import LandCover

LEGEND = (LandCover(0, "sea", "#0000ff"), LandCover(1, "ice", "#ffffff"), LandCover(2, "rock", "#808080"))


def painted(session) -> np.ndarray:
    whole = session.info.grid.window
    found = np.zeros(whole.shape, np.uint8)
    for reply in predict(session, whole):
        if isinstance(reply, Patch):
            found[slices(reply.window, whole)] = reply.array[0]
    return found


def test_ten_marks_of_an_own_legend_become_a_map_at_any_resolution(make_session) -> None:
    truth = np.zeros((96, 128), np.uint8)
    truth[:, 60:], truth[50:, 30:] = 1, 2
    noise = np.random.default_rng(0).normal(0, 6, (3, *truth.shape))
    image = (np.array([[20, 235, 130], [40, 240, 120], [90, 245, 110]])[:, truth] + noise).clip(0, 255).astype(np.uint8)
    predictor = learning.with_legend(registry.load_predictor(registry.find("pixels")), LEGEND)
    session = make_session(image, predictor=predictor, gsd_m=30.0)
    assert not session.warnings
    assert not painted(session).any()

    log, rng = AnnotationLog(), np.random.default_rng(1)
    for index in range(10):
        row, col = rng.choice(np.argwhere(truth == index % 3))
        session.change(log.add(Annotation(str(index), "point", ((col + 0.5, row + 0.5),), index % 3)))
    learnt = list(learning.learn(session, log.revision, log.revision + 1, LearnOptions()))[-1]
    assert (learnt.right_before, learnt.right_after) == (0.0, 1.0)
    assert (painted(session) == truth).mean() > 0.95
