"""Nothing but bytes leaves a device: torch's "meta" has shapes and no numbers, so whatever asks it for one fails."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from terrafine.models.certainty.uncertainty import PER_LOGITS
from terrafine.server.engine import blending, engine, uncertainty
from terrafine.server.engine.blending import most_likely
from terrafine.server.engine.engine import predict
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.patch import Patch

META = torch.device("meta")


class Elsewhere:
    """The tests' network, on a device whose numbers nobody can see."""

    def __init__(self, inner) -> None:
        self.inner, self.spec, self.network = inner, inner.spec, inner.network
        self.device, self.batch, self.is_same_in_threads = META, 1, True

    def features(self, images):
        return self.inner.features(images)

    def halves(self, features, marks):
        return [logits.to(META) for logits in self.inner.halves(features, marks)]


@pytest.fixture
def left(monkeypatch) -> list[torch.dtype]:
    """The types of what was downloaded."""
    found = []

    def download(tensor: torch.Tensor) -> np.ndarray:
        assert tensor.device == META
        found.append(tensor.dtype)
        return np.zeros(tensor.shape, np.uint8)

    for module in (engine, uncertainty):
        monkeypatch.setattr(module, "download", download)
    return found


@pytest.mark.parametrize("gsd_m", [0.5, 0.3])
@pytest.mark.parametrize("method", ["", *PER_LOGITS])
def test_only_class_ids_and_uncertainty_in_bytes_leave_the_device(make_session, noise, left, method, gsd_m) -> None:
    image = noise(100, 110)
    session = make_session(image, gsd_m=gsd_m, predictor=Elsewhere(make_session(image).predictor))
    session.change(AnnotationLog().add(Annotation("a", "point", ((20.5, 30.5),), 2)))
    patches = [item for item in predict(session, session.info.grid.window, method=method) if isinstance(item, Patch)]
    assert set(left) == {torch.uint8}
    assert len(left) == len(patches) * (2 if method else 1)


def test_merged_classes_stay_there_too(make_session, noise, left) -> None:
    session = make_session(noise(70, 70), predictor=Elsewhere(make_session(noise(70, 70)).predictor))
    session.legend = session.legend.checked_change(session.legend.classes, (0, 0, 2))
    assert any(isinstance(item, Patch) for item in predict(session, session.info.grid.window))
    assert set(left) == {torch.uint8}


def test_both_ways_to_find_the_most_likely_class_agree() -> None:
    """That of a device is torch's; ties go to the first."""
    logits = torch.randint(0, 4, (6, 40, 50), generator=torch.Generator().manual_seed(0)).float()
    assert torch.equal(most_likely(logits), blending.first_of_the_largest(logits))
