"""The network is shown the same channels in training and in serving, for every encoding."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from terrafine.models import simulate
from terrafine.models.data import Scene
from terrafine.models.infer import Predictor
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.training.validation import validate
from terrafine.server.engine.engine import predict
from terrafine.shared.annotation import AnnotationLog
from terrafine.shared.spec import ENCODINGS, EncodingSpec

SIDE = 64


class Recorder(MarkedNetwork):
    """The first bands are the logits; what marks it was shown is remembered."""

    def __init__(self, classes):
        super().__init__()
        self.classes, self.shown = classes, []

    def features(self, image):
        return (image,)

    def decode(self, features, marks):
        self.shown.append(marks[0].numpy().copy())
        return features[0][:, : self.classes] + marks

    def image_side(self):
        return ()


@pytest.mark.parametrize("kind", ENCODINGS)
def test_training_and_serving_show_the_same_channels(kind, make_session, noise, spec) -> None:
    spec = dataclasses.replace(spec, encoding=EncodingSpec(kind, 6.0))
    image = np.kron(noise(SIDE // 8, SIDE // 8), np.ones((1, 8, 8), np.uint8))
    truth = np.random.default_rng(1).integers(0, len(spec.classes), (SIDE, SIDE)).astype(np.uint8)

    training = Recorder(len(spec.classes))
    with torch.inference_mode():
        validate(spec, training, [Scene("a", image, truth)], clicks=1, counted=2)

    serving = Recorder(len(spec.classes))
    session = make_session(image, predictor=Predictor(spec, serving))
    plain = next(patch.array[0] for patch in predict(session, session.info.grid.window) if hasattr(patch, "array"))
    click = simulate.next_click(plain, truth, np.random.default_rng(0))
    session.change(AnnotationLog().add(click))
    list(predict(session, session.info.grid.window))

    assert training.shown[-1].any()
    np.testing.assert_array_equal(serving.shown[-1], training.shown[-1])
