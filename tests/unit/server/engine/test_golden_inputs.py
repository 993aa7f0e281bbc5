"""Golden tests: what SideInfNet and MagNet's refinement module are shown in training is what they are shown in serving.

That of the objects is in test_objects.py, that of the marks' encodings in test_tile_context.py.
"""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from terrafine.models import simulate
from terrafine.models.data import Augmentation, Scene
from terrafine.models.detail.lessons import lesson
from terrafine.models.infer import Predictor
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.training.loop import Trainer
from terrafine.models.training.maps import MapTask
from terrafine.models.training.options import MarkOptions, TrainOptions
from terrafine.server.engine.detail import DetailRunner
from terrafine.server.engine.engine import predict
from terrafine.server.engine.side import set_side
from terrafine.server.engine.work import Work
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.geo import Window
from terrafine.shared.side import SideFields, SideInformation
from terrafine.shared.spec import Detail, EncodingSpec, Normalisation

TILE = 64
MARK = Annotation("a", "stroke", ((10.5, 20.5), (40.5, 22.5)), 2, 5.0)
AS_IT_IS = Augmentation(scale=1.0, brightness=0.0, contrast=0.0, colour=0.0, gamma=0.0)


class Bands(MarkedNetwork):
    """The bands are the logits, and the more so the further right in the tile; what it was shown is remembered."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.images, self.marks = [], []

    def features(self, image):
        self.images.append(image[0].numpy().copy())
        return (image,)

    def decode(self, features, marks):
        self.marks.append(marks[0].numpy().copy())
        return features[0] * self.scale + marks[:, :3] + torch.linspace(0, 1, marks.shape[-1])

    def image_side(self):
        return ()


def test_sideinfnet_is_told_the_same_in_training_and_in_serving(make_session, noise, spec, tmp_path, monkeypatch):
    fields = SideFields(("height", "shade"), (12.0, 0.4), (5.0, 0.2))
    normal = Normalisation((0.3, 0.4, 0.5), (0.2, 0.25, 0.3))
    spec = dataclasses.replace(spec, encoding=EncodingSpec("onehot", 1.0), side=fields, normalisation=normal)
    rng = np.random.default_rng(0)
    told = SideInformation(rng.uniform(0, TILE, (9, 2)).astype("f4"), rng.normal(size=(9, 2)).astype("f4"))
    monkeypatch.setattr(simulate, "noisy_scores", lambda *_: told)
    monkeypatch.setattr(simulate, "marks_from_errors", lambda *_: [MARK])
    training, serving = Bands(), Bands()
    marks = MarkOptions(none=0.0, relabel=0.0, rounds=1, from_errors_after=0.0)
    options = TrainOptions(1, 1, TILE, marks=marks, augmentation=AS_IT_IS, mixed_precision=False)
    scene = Scene("a", noise(TILE, TILE), np.zeros((TILE, TILE), np.uint8))
    trainer = Trainer(MapTask(spec, training, [scene], options), tmp_path)
    drawn = (
        trainer.batch(0).images[0].numpy() * np.array(normal.std)[:, None, None] + np.array(normal.mean)[:, None, None]
    )
    list(trainer.run())

    session = make_session((drawn * 255).round().astype(np.uint8), predictor=Predictor(spec, serving))
    session.change(AnnotationLog().add(MARK))
    set_side(session, 1, 2, told)
    list(predict(session, session.info.grid.window))

    assert training.marks[-1].shape == (3 + fields.channels, TILE, TILE)
    assert (training.marks[-1] != 0).any((1, 2)).tolist() == [False, False, True, True, True, True]
    np.testing.assert_array_equal(serving.marks[-1], training.marks[-1])
    np.testing.assert_array_equal(serving.images[-1], training.images[-1])


@pytest.mark.parametrize("stage", [(1.0, 0.5), (2.0, 1.0)])
def test_the_refinement_module_is_shown_the_same_in_training_and_in_serving(make_session, noise, spec, stage):
    """Training resamples by torch, serving by its own filter, whose results depend on no window; both keep float16."""
    step, side = spec.tile_px - spec.overlap_px, round(TILE * stage[0])
    image, network = np.kron(noise(side // 8, side // 8), np.ones((1, 8, 8), np.uint8)), Bands()
    at_the_second_tile = SimpleNamespace(integers=lambda low, high: step)
    unit = (image / 255).astype(np.float32)
    taught = lesson(network, spec, unit, np.zeros((side, side), np.uint8), stage, at_the_second_tile)

    detail = Detail(stage, 1.0, 1.0)
    predictor = Predictor(dataclasses.replace(spec, detail=detail), network)
    session = make_session(image, predictor=predictor)
    runner = DetailRunner(session, Work(), detail)._refined
    shown = []
    predictor.refined = lambda *maps: shown.append(maps) or maps[0]
    runner.tile_logits(Window(step, step, TILE, TILE))

    (coarse, fine), *_ = shown
    np.testing.assert_allclose(coarse, taught.coarse, atol=2e-3)
    np.testing.assert_allclose(fine, taught.fine, atol=2e-3)
    assert np.abs(coarse - fine).max() > 0.05
