"""SideInfNet: gates by hand, the network on three kinds of encoders, and where the image's part ends."""

from __future__ import annotations

import copy

import pytest
import torch

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.models.learning.grow import with_classes
from terrafine.models.networks.gates import Gate, gated
from terrafine.models.networks.mobilenet import InvertedResidual, MobileNetV2
from terrafine.models.networks.staged import is_residual, staged, units
from terrafine.shared.errors import UnusableModel
from terrafine.shared.spec import EncodingSpec, LandCover, ModelSpec, Normalisation

CLASSES = tuple(LandCover(i, f"class {i}", f"#{i:06x}") for i in range(4))


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def spec(encoder="mobilenet_v2_same", **options):
    return ModelSpec(
        "side", "Side", "sideinfnet", encoder, ("red", "green", "blue"), CLASSES, 0.5,
        Normalisation((0.5,) * 3, (0.5,) * 3), EncodingSpec("onehot", 1.0), 64, 16, options=options,
    )  # fmt: skip


def network(**options):
    return registry.build(spec(**options)).eval()


def image_and_marks(*pixels, batch=1):
    marks = torch.zeros(batch, 4, 64, 64)
    for class_id, row, col in pixels:
        marks[:, class_id, row, col] = 1.0
    return torch.randn(batch, 3, 64, 64), marks


# ---- gates --------------------------------------------------------------------------------------------------------


def gate_that_opens_above(mean):
    gate = Gate(2).eval()
    first, _, last = gate.relevance
    with torch.no_grad():
        first.weight.zero_()
        first.bias.zero_()
        first.weight[0] = 0.5
        last.weight.zero_()
        last.weight[0, 0] = 1.0
        last.bias.fill_(-mean)
    return gate


def test_a_gate_decides_by_the_mean_of_the_map():
    x = torch.stack([torch.full((2, 4, 4), value) for value in (0.2, 0.9)])
    assert gate_that_opens_above(0.5)(x).tolist() == [0.0, 1.0]


def test_a_closed_gate_leaves_the_image_as_it_is_and_its_block_is_not_run_for_it():
    class Counting(torch.nn.Module):
        images = 0

        def forward(self, x):
            Counting.images += len(x)
            return x + 1

    x = torch.zeros(3, 2, 4, 4)
    out = gated(Counting().eval(), torch.tensor([1.0, 0.0, 1.0]), x)
    assert out[:, 0, 0, 0].tolist() == [1.0, 0.0, 1.0]
    assert Counting.images == 2
    assert torch.equal(gated(Counting().eval(), torch.zeros(3), x), x)
    assert Counting.images == 2


def test_in_training_a_gate_is_open_as_often_as_it_says_and_passes_the_gradient_straight_through():
    gate = Gate(2).train()
    x = torch.zeros(4000, 2, 1, 1)
    with torch.no_grad():
        gate.relevance[0].bias.zero_()
        gate.relevance[2].bias.fill_(-1.0)
    z = gate(x)
    assert set(z.detach().round(decimals=5).unique().tolist()) == {0.0, 1.0}
    assert z.mean().item() == pytest.approx(torch.tensor(-1.0).sigmoid().item(), abs=0.03)
    z.sum().backward()
    assert gate.relevance[2].bias.grad.item() > 0


def test_a_block_with_an_open_gate_is_the_block():
    block, x = InvertedResidual(8, 8, 1, 2).eval(), torch.randn(2, 8, 6, 6)
    one = torch.ones(2, requires_grad=True)
    assert torch.equal(gated(block, one, x), block(x))
    assert torch.equal(gated(block, one.detach(), x), block(x))


def test_the_penalty_is_the_squared_distance_of_the_rate_from_its_target():
    net = registry.build(spec(rate=0.6)).train()
    for index, gate in enumerate(net.gates.values()):
        last = gate.relevance[2]
        with torch.no_grad():
            last.weight.zero_()
            last.bias.fill_(50.0 if index < 3 else -50.0)
    net(*image_and_marks(batch=2))
    assert net.penalty().item() == pytest.approx((3 / len(net.gates) - 0.6) ** 2, abs=1e-5)
    assert net.penalty().item() == 0.0  # of the last decode, once


def test_gates_stand_before_the_residual_blocks_of_the_later_stages_alone():
    assert len(network().gates) == sum(
        is_residual(unit) for stage in MobileNetV2(3).stages[2:] for unit in units(stage)
    )
    assert not network(rate=0.0).gates


# ---- the network ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoder", ["mobilenet_v2_same", "resnet18", "vgg11"])
def test_it_runs_on_encoders_of_three_kinds(encoder):
    net = registry.build(spec(encoder)).eval()
    image, marks = image_and_marks((2, 30, 30))
    assert net(image, marks).shape == (1, 4, 64, 64)
    assert net.features(image)[0].shape[-2:] == (16, 16)
    assert bool(net.gates) == (encoder != "vgg11")


@pytest.mark.parametrize("encoder", ["resnet18", "vgg11"])
def test_an_encoder_in_stages_is_the_encoder(encoder):
    import segmentation_models_pytorch as library

    whole = library.encoders.get_encoder(encoder, in_channels=3, depth=5, weights=None).eval()
    image = torch.randn(1, 3, 64, 64)
    for ours, theirs in zip(staged(copy.deepcopy(whole), encoder)(image), whole(image)[1:]):
        assert torch.equal(ours, theirs)


def test_an_encoder_that_cannot_be_taken_apart_is_refused():
    with pytest.raises(UnusableModel, match="taken apart"):
        registry.build(spec("efficientnet-b0"))


def test_without_side_information_it_is_the_plain_network_whatever_is_marked():
    net = network(spread="none")
    image, marks = image_and_marks((2, 30, 30))
    assert torch.equal(net(image, marks), net(image, torch.zeros_like(marks)))


@pytest.mark.parametrize("spread", ["diffusion", "kernel"])
def test_a_mark_changes_the_map_around_it(spread):
    net = network(spread=spread, rate=0.0)
    image, marks = image_and_marks((2, 30, 30))
    change = (net(image, marks) - net(image, torch.zeros_like(marks))).abs().amax(1)[0]
    assert change[30, 30] > 0


def test_the_image_is_looked_at_once_and_the_split_changes_nothing():
    net = network()
    image, marks = image_and_marks((1, 5, 60), (3, 40, 9))
    assert torch.equal(net(image, marks), net.decode(net.features(image), marks))
    x, beside = net.trunk(net.features(image), marks)
    assert torch.equal(net.head(x) + beside, net(image, marks))


def test_dropout_that_takes_nothing_out_changes_nothing():
    net = network()
    image, marks = image_and_marks((1, 5, 60))
    (thinned,) = net.thinned(net.features(image), marks, [lambda x: x])
    assert torch.equal(thinned, net(image, marks))


def test_a_class_that_is_new_has_an_output_and_the_old_ones_stay_what_they_were():
    predictor = Predictor(spec(), network())
    image, marks = image_and_marks((1, 5, 60))
    grown = with_classes(predictor, (*CLASSES, LandCover(4, "new", "#ffffff")), [0, 1, 2, 3, None])
    wide = torch.cat([marks, torch.zeros(1, 1, 64, 64)], 1)
    before, after = predictor.network(image, marks), grown.network(image, wide)
    assert after.shape[1] == 5
    assert torch.allclose(after[:, :4], before, atol=1e-6)
    assert (after.argmax(1) < 4).all()


@pytest.mark.parametrize(
    "options", [{"spread": "butter"}, {"colour": "red"}, {"rate": 2.0}, {"dimension": 0}, {"rate": 1}, {"rounds": -1}]
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(UnusableModel):
        registry.build(spec(**options))


@pytest.mark.parametrize("encoder", ["mobilenet_v2_same", "resnet18", "vgg11"])
def test_as_it_runs_in_the_engine_it_gives_the_same_map_and_gates_decide_the_same(encoder):
    net = registry.build(spec(encoder)).eval()
    for index, gate in enumerate(net.gates.values()):
        gate.relevance[2].bias.data.fill_(5.0 if index % 2 else -5.0)
    image, marks = image_and_marks((1, 5, 60), (3, 40, 9))
    predictor = Predictor(spec(encoder), net)
    found = predictor.logits(predictor.features(image.numpy()), marks.numpy())
    assert torch.allclose(torch.from_numpy(found), net(image, marks), atol=1e-4)
