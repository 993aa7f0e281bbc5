"""The fused network is the network: the same numbers to rounding, fewer modules."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from terrafine.models.infer import Predictor
from terrafine.models.networks.fused import FusedConvolution, fused
from terrafine.models.networks.linknet import LateLinkNet, LinkNet
from terrafine.models.networks.mobilenet import CHANNELS, MobileNetV2
from terrafine.models.networks.network import EarlyFusion, Features, MarkedNetwork
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

CLASSES = 3


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def lived(network: MarkedNetwork) -> MarkedNetwork:
    """With batch norms that have seen something, so that folding them away wrongly would show."""
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.uniform_(norm.running_mean, -0.2, 0.2)
        nn.init.uniform_(norm.running_var, 0.5, 2.0)
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.2, 0.2)
    return network.eval()


def late() -> LateLinkNet:
    network = LateLinkNet(MobileNetV2(3), CHANNELS, CLASSES)
    assert isinstance(lived(network), LateLinkNet)
    return network


def early() -> MarkedNetwork:
    return lived(EarlyFusion(LinkNet(MobileNetV2(3 + CLASSES), CHANNELS, CLASSES)))


def image(batch: int = 1) -> Tensor:
    return torch.rand(batch, 3, 64, 64).to(memory_format=torch.channels_last)


def marks(*places: tuple[int, int, int, int]) -> Tensor:
    found = torch.zeros(max((place[0] for place in places), default=0) + 1, CLASSES, 64, 64)
    for place in places:
        found[place] = 1.0
    return found


@pytest.mark.parametrize("network", [late, early])
@pytest.mark.parametrize("places", [(), ((0, 1, 20, 30), (0, 2, 60, 3))])
@torch.inference_mode()
def test_it_gives_what_the_network_gives(network, places):
    plain, x, heard = network(), image(), marks(*places)
    fast = fused(plain)
    torch.testing.assert_close(fast(x, heard), plain(x, heard), atol=1e-4, rtol=1e-4)
    assert any(isinstance(module, FusedConvolution) for module in fast.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())


@torch.inference_mode()
def test_no_marks_are_the_same_for_one_tile_and_for_many():
    plain, x = late(), image(3)
    fast = fused(plain)
    for _ in range(2):  # what is remembered from the first time serves the second
        torch.testing.assert_close(fast(x, torch.zeros(3, CLASSES, 64, 64)), plain(x, torch.zeros(3, CLASSES, 64, 64)))
    heard = marks((0, 1, 9, 9), (2, 0, 40, 40))
    torch.testing.assert_close(fast(x, heard), plain(x, heard), atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_the_network_itself_is_not_touched():
    plain, x = late(), image()
    before, answer = {name: tensor.clone() for name, tensor in plain.state_dict().items()}, plain(x, marks())
    fused(plain)
    assert before.keys() == plain.state_dict().keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in plain.state_dict().items())
    assert torch.equal(plain(x, marks()), answer)


@pytest.mark.parametrize(
    ("kind", "name", "least"), [("Unet", "resnet18", 20), ("Unet", "efficientnet-b0", 10), ("Linknet", "resnet18", 20)]
)
@torch.inference_mode()
def test_encoders_of_the_library_are_fused_too(kind, name, least):
    library = getattr(pytest.importorskip("segmentation_models_pytorch"), kind)
    network = lived(EarlyFusion(library(name, encoder_weights=None, in_channels=3 + CLASSES, classes=CLASSES)))
    x, heard = image(), marks((0, 2, 5, 5))
    fast = fused(network)
    torch.testing.assert_close(fast(x, heard), network(x, heard), atol=1e-4, rtol=1e-4)
    assert sum(isinstance(module, FusedConvolution) for module in fast.modules()) > least


class Residual(MarkedNetwork):
    """Everything that a convolution can take over: padding on two sides, a norm, a sum, an activation."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Body()

    def features(self, image: Tensor) -> Features:
        return (image,)

    def decode(self, features: Features, marks: Tensor) -> Tensor:
        y: Tensor = self.body(features[0])
        return y

    def image_side(self) -> tuple[nn.Module, ...]:
        return (self.body,)


class Body(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, 3, 2, bias=False)
        self.inner = nn.Conv2d(4, 4, 3, 1, 1)
        self.norm = nn.BatchNorm2d(4)
        self.up = nn.ConvTranspose2d(4, 2, 3, 2, 1, output_padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self.down(F.pad(x, (0, 1, 0, 1))))
        return torch.relu(self.up(torch.relu(self.norm(self.inner(x)) + x)))


@torch.inference_mode()
def test_all_around_a_convolution_is_one_step(monkeypatch):
    plain, x = lived(Residual()), image()
    fast = fused(plain)
    assert [node.op for node in fast.body.graph.nodes].count("call_function") == 0
    expected = plain(x, marks())
    torch.testing.assert_close(fast(x, marks()), expected, atol=1e-5, rtol=1e-4)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    torch.testing.assert_close(fast(x, marks()), expected, atol=1e-5, rtol=1e-4)


def test_what_did_not_learn_is_not_fused_again():
    plain = late()
    fast = fused(plain)
    learnt = plain.sharing_copy(plain.blocks.parameters())
    with torch.no_grad():
        learnt.blocks[0].reduce[0].weight.mul_(2.0)
    again = fused(learnt, (plain, fast))
    assert again.encoder is fast.encoder
    assert again.blocks[0] is not fast.blocks[0]
    x, heard = image(), marks((0, 1, 3, 3))
    with torch.inference_mode():
        torch.testing.assert_close(again(x, heard), learnt(x, heard), atol=1e-4, rtol=1e-4)


def test_half_precision_changes_little_and_logits_stay_float32():
    network, x, heard = late(), image().numpy(), marks((0, 1, 20, 20)).numpy()
    classes = tuple(LandCover(i, f"class {i}", f"#{i:06x}") for i in range(CLASSES))
    normal = Normalisation((0.5,) * 3, (0.5,) * 3)
    spec = ModelSpec("tiny", "Tiny", "linknet", "mobilenet_v2_same", ("r", "g", "b"), classes, 0.5, normal)
    exact, half = (Predictor(spec, network, precision=dtype) for dtype in (torch.float32, torch.bfloat16))
    found = [predictor.logits(predictor.features(x), heard) for predictor in (exact, half)]
    assert found[1].dtype == "float32"
    assert 0 < abs(found[0] - found[1]).max() < 0.2 * abs(found[0]).max()
    assert half.features(x)[0].nbytes < 0.7 * exact.features(x)[0].nbytes
