"""ConfidNet: its shape against the paper's, what it learns, and what it leaves alone."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from terrafine.models import registry
from terrafine.models.certainty import confidence
from terrafine.models.certainty.confidence import ConfidNet
from terrafine.models.certainty.train import OPTIONS, ConfidenceTask
from terrafine.models.data import Scene
from terrafine.models.infer import Predictor
from terrafine.models.metrics import VOID
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.training.loop import Trainer
from terrafine.shared.errors import UnusableModel
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation


def spec(**changes):
    classes = tuple(LandCover(i, f"class {i}", f"#{i:06x}") for i in range(2))
    values = {
        "name": "tiny", "title": "Tiny", "architecture": "linknet", "encoder": "mobilenet_v2_same",
        "bands": ("red", "green", "blue"), "classes": classes, "gsd_m": 0.5,
        "normalisation": Normalisation((0.5,) * 3, (0.5,) * 3), "tile_px": 64, "overlap_px": 16,
    }  # fmt: skip
    return ModelSpec(**{**values, **changes})


def scene():
    """Bright above, dark below; the labels say nothing in a corner."""
    truth = np.zeros((96, 96), np.uint8)
    truth[48:] = 1
    noise = np.random.default_rng(0).integers(0, 40, (3, 96, 96))
    image = (200 - 150 * truth + noise).astype(np.uint8)
    truth[:20, :20] = VOID
    return Scene("a", image, truth)


def test_it_has_the_papers_layers_and_gives_a_number_in_0_1_a_pixel():
    net = ConfidNet(32, stride=2)
    assert [tuple(c.weight.shape) for c in net.convolutions] == [(120, 32, 3, 3), (64, 120, 3, 3), (32, 64, 3, 3)]
    result = net(torch.randn(2, 32, 16, 24))
    assert result.shape == (2, 32, 48)
    assert ((result > 0) & (result < 1)).all()


def test_the_true_classes_probability_agrees_with_a_hand_worked_softmax():
    logits = torch.tensor([0.0, math.log(3.0), math.log(6.0)])[None, :, None, None].expand(1, 3, 1, 4)
    truth = torch.tensor([[[0, 1, 2, VOID]]], dtype=torch.uint8)
    assert confidence.true_probability(logits, truth)[0, 0, :3].tolist() == pytest.approx([0.1, 0.3, 0.6])


def test_where_classes_are_merged_it_is_surer_by_what_the_largest_probability_gains():
    logits = torch.tensor([0.5, 0.3, 0.2]).log()[:, None] * 2.0
    found = confidence.gain(logits, 2.0, lambda x: torch.stack([x[0], (x[1:] / 2).logsumexp(0) * 2]))
    assert found.tolist() == pytest.approx([0.5 / 0.5])
    found = confidence.gain(logits, 2.0, lambda x: torch.stack([(x[:2] / 2).logsumexp(0) * 2, x[2]]))
    assert found.tolist() == pytest.approx([0.8 / 0.5])


@pytest.mark.parametrize(
    "changes", [{}, {"options": {"fusion": "early"}}, {"architecture": "fpn", "encoder": "resnet18"}], ids=str
)
def test_it_fits_what_the_last_layer_of_a_network_sees(changes):
    if "architecture" in changes:
        pytest.importorskip("segmentation_models_pytorch")
    network = registry.build(spec(**changes)).eval()
    net = confidence.for_network(network, spec(**changes))
    image, marks = torch.randn(1, 3, 64, 96), torch.zeros(1, 2, 64, 96)
    assert net(network.trunk(network.features(image), marks)[0]).shape == (1, 64, 96)


class RedIsUp(MarkedNetwork):
    """Sure that what is red is class 0 and the rest class 1; its last layer sees the image."""

    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, 2, 1)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[3.0, 0.0, 0.0], [-3.0, 0.0, 0.0]])[:, :, None, None])
            self.head.bias.zero_()

    def features(self, image):
        return (image,)

    def trunk(self, features, marks):
        return features[0], torch.zeros(())

    def decode(self, features, marks):
        return self.head(features[0])

    def image_side(self):
        return ()


def test_it_learns_where_the_network_is_wrong_and_leaves_the_network_alone(tmp_path):
    """What is green is not what the network takes it for, and it is sure of that."""
    image = np.full((3, 64, 64), 20, np.uint8)
    image[0, :32], image[1, :, 40:] = 235, 235
    truth = (image[0] < 128).astype(np.uint8)
    truth[:, 40:] = 1 - truth[:, 40:]
    network = RedIsUp()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.manual_seed(0)
    net = confidence.for_network(network, spec())
    options = dataclasses.replace(OPTIONS, steps=60, batch=2, crop_px=32, lr=1e-2, ema=0.8, mixed_precision=False)
    trainer = Trainer(ConfidenceTask(spec(), net, network, [Scene("a", image, truth)], options), tmp_path)
    assert [step for step, _ in trainer.run()] == list(range(1, 61))
    with torch.inference_mode():
        found = trainer.result(torch.from_numpy((image / 255.0 - 0.5) / 0.5).float()[None])[0]
    assert float(found[:, :36].mean()) > 0.8
    assert float(found[:, 44:].mean()) < 0.2
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_training_again_with_the_same_seed_gives_the_same(tmp_path):
    network, options = registry.build(spec()), dataclasses.replace(OPTIONS, steps=2, batch=1, crop_px=64)
    losses = []
    for _ in range(2):
        torch.manual_seed(5)
        net = confidence.for_network(network, spec())
        task = ConfidenceTask(spec(), net, network, [scene()], options)
        losses.append([values["loss"] for _, values in Trainer(task, tmp_path).run()])
    assert losses[0] == losses[1]


def test_a_model_folder_with_one_offers_it(tmp_path):
    torch.manual_seed(0)
    registry.save(tmp_path, spec(), registry.build(spec()))
    assert "confidnet" not in registry.load_predictor(tmp_path).spec.uncertainty
    net = ConfidNet(32, stride=2)
    registry.save_confidence(tmp_path, net)
    predictor = registry.load_predictor(tmp_path)
    assert predictor.spec.uncertainty[-1] == "confidnet"

    images = np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype(np.float32)
    features, marks = predictor.features(images), np.zeros((2, 2, 64, 64), np.float32)
    found = predictor.uncertainty("confidnet", features, None, marks)
    with torch.inference_mode():
        exact = tuple(tensor.float() for tensor in features[1].tensors)
        last, _ = predictor.network.trunk(exact, torch.from_numpy(marks[1:]))
        expected = 1 - net(last)
    assert np.allclose(found[1], expected[0], atol=1e-2)  # bfloat16, where the processor has it
    in_another_order = predictor.uncertainty("confidnet", features, None, marks, lambda logits: logits.flip(0))
    assert np.allclose(in_another_order, found, atol=1e-6)


def test_a_folder_that_lacks_the_one_it_offers_is_refused(tmp_path):
    registry.save(tmp_path, spec(uncertainty=("confidnet",)), registry.build(spec()))
    with pytest.raises(UnusableModel, match="ConfidNet"):
        registry.load_predictor(tmp_path)
    (tmp_path / registry.CONFIDENCE).write_bytes(b"\x00" * 64)
    with pytest.raises(UnusableModel, match="ConfidNet"):
        registry.load_predictor(tmp_path)


def test_a_predictor_without_one_says_so():
    predictor = Predictor(spec(uncertainty=("confidnet",)), registry.build(spec()))
    images = np.zeros((1, 3, 64, 64), np.float32)
    with pytest.raises(UnusableModel, match="ConfidNet"):
        predictor.uncertainty("confidnet", predictor.features(images), None, np.zeros((1, 2, 64, 64), np.float32))
