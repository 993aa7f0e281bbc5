"""Learning from marks: the loss, one step, what stays as it was, and the last layer's solution."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import optimize

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.models.learning import festa, last_layer, learn, regression
from terrafine.models.learning.learn import Example
from terrafine.models.learning.lesson import prepare
from terrafine.shared.errors import BadRequest, Cancelled
from terrafine.shared.learning import LearnOptions
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

SIZE, CLASSES = 32, 3
EARLY = {"options": {"fusion": "early"}}


def spec(**changes):
    classes = tuple(LandCover(i, f"class {i}", f"#{i:06x}") for i in range(CLASSES))
    values = {
        "name": "tiny", "title": "Tiny", "architecture": "linknet", "encoder": "mobilenet_v2_same",
        "bands": ("red", "green", "blue"), "classes": classes, "gsd_m": 0.5,
        "normalisation": Normalisation((0.5,) * 3, (0.5,) * 3), "tile_px": SIZE, "overlap_px": 8,
    }  # fmt: skip
    return ModelSpec(**{**values, **changes})


def predictor(**changes):
    torch.manual_seed(0)
    return Predictor(spec(**changes), registry.build(spec(**changes)))


def example(model, *marks, seed=0, cached=True):
    """A tile of noise with marks (class, row, column)."""
    image = np.random.default_rng(seed).normal(size=(3, SIZE, SIZE)).astype(np.float32)
    channels, marked = np.zeros((CLASSES, SIZE, SIZE), np.float32), np.full((SIZE, SIZE), -1, np.int16)
    for class_id, row, col in marks:
        channels[class_id, row, col], marked[row, col] = 1.0, class_id
    valid = np.ones((SIZE, SIZE), bool)
    valid[:, -4:] = False
    features = model.features(image[None])[0] if cached else None
    return Example(features, image, channels, marked, valid)


def unheard(tile):
    """The tile for a network that is shown no marks."""
    return replace(tile, channels=np.zeros_like(tile.channels))


MARKS = ((0, 5, 6), (1, 20, 25), (2, 28, 15))


def bare(model, tile):
    """Logits of a tile without marks."""
    return model.logits(model.features(tile.image[None]), np.zeros_like(tile.channels)[None])[0]


def state(model):
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}


@pytest.fixture
def in_float32(monkeypatch):
    """Reference computations are exact only where nothing is rounded to bfloat16."""
    exact = lambda device: torch.autocast(device.type, enabled=False)  # noqa: E731
    for module in ("lesson", "learn", "last_layer"):
        monkeypatch.setattr(f"terrafine.models.learning.{module}.precision", exact)


def test_the_loss_agrees_with_a_slow_loop(in_float32):
    model = predictor()
    lesson = prepare(example(model, *MARKS), model.network, model.device)
    logits = torch.randn(1, CLASSES, SIZE, SIZE)
    right, change = 0.0, 0.0
    for row in range(SIZE):
        for col in range(SIZE):
            powers = [math.exp(value) for value in logits[0, :, row, col].tolist()]
            p = [power / sum(powers) for power in powers]
            if (row, col) in [(r, c) for _, r, c in MARKS]:
                right -= math.log(p[next(k for k, r, c in MARKS if (r, c) == (row, col))])
            if lesson.valid[row, col]:
                change += sum(abs(a - b) for a, b in zip(p, lesson.before[0, :, row, col].tolist()))
    assert float(learn.mistaken(logits, lesson)) == pytest.approx(right, rel=1e-5)
    assert float(learn.moved(logits, lesson)) == pytest.approx(change, rel=1e-4)


def test_a_mark_in_a_merged_class_means_any_of_its_classes(in_float32):
    model = predictor()
    becomes = [0, 1, 1, *range(3, CLASSES)]
    lesson = prepare(example(model, (1, 5, 6), (0, 9, 9)), model.network, model.device, becomes)
    logits = torch.randn(1, CLASSES, SIZE, SIZE)
    p = logits.softmax(1)[0]
    wanted = -math.log(p[1, 5, 6] + p[2, 5, 6]) - math.log(p[0, 9, 9])
    assert float(learn.mistaken(logits, lesson)) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("scope", ["head", "decoder"])
def test_what_a_merged_class_shows_is_right_whichever_of_its_classes_it_is(scope):
    model = predictor()
    shown = int(bare(model, example(model))[:, 5, 6].argmax())
    other = (shown + 1) % CLASSES
    becomes = [other if class_id == shown else class_id for class_id in range(CLASSES)]
    tiles = [example(model, (other, 5, 6))]
    alone = learn.learn(model, tiles, LearnOptions(scope))
    merged = learn.learn(model, tiles, LearnOptions(scope), becomes=becomes)
    assert (alone.right_before, merged.right_before) == (0.0, 1.0)
    assert bare(merged.predictor, tiles[0])[:, 5, 6].argmax() in (shown, other)


def test_a_step_goes_down_the_loss_of_all_tiles_as_finite_differences_have_it(in_float32):
    model = predictor()
    tiles = [example(model, *MARKS[:2]), example(model, MARKS[2], seed=1)]
    rate, options = 0.5, LearnOptions("decoder", steps=1, rate=0.5, regularisation=0.0)
    learnt = learn.learn(model, tiles, options, drop=1.0).predictor

    def loss():
        wrong = [
            -torch.from_numpy(bare(model, tile)).double().log_softmax(0)[k, r, c]
            for tile, marks in zip(tiles, (MARKS[:2], MARKS[2:]))
            for k, r, c in marks
        ]
        return float(sum(wrong)) / len(wrong)

    bias = model.network.head.bias.data
    learnt_bias = learnt.network.head.bias.data
    for index in range(CLASSES):
        slopes = []
        for nudge in (1e-2, -1e-2):
            bias[index] += nudge
            slopes.append(loss())
            bias[index] -= nudge
        slope = (slopes[0] - slopes[1]) / 2e-2
        moved = float(learnt_bias[index] - bias[index])
        assert moved == pytest.approx(-rate * slope, abs=1e-4)


def test_without_a_mark_there_is_nothing_to_learn():
    model = predictor()
    with pytest.raises(BadRequest, match="nothing to learn"):
        learn.learn(model, [example(model)], LearnOptions())


def test_a_mark_where_there_is_no_data_teaches_nothing():
    model = predictor()
    with pytest.raises(BadRequest):
        learn.learn(model, [example(model, (1, 10, SIZE - 1))], LearnOptions())


@pytest.mark.parametrize("changes", [{}, EARLY], ids=["late", "early"])
@pytest.mark.parametrize("scope", ["head", "decoder", "all"])
def test_learning_gets_more_marks_right_and_leaves_the_old_model_as_it_was(scope, changes):
    model = predictor(**changes)
    tile, before = example(model, *MARKS), state(model)
    maps = bare(model, tile)
    learnt = learn.learn(model, [tile], LearnOptions(scope, steps=6, rate=0.3, regularisation=0.001))
    assert learnt.right_before < learnt.right_after
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.network.state_dict().items())
    assert np.array_equal(bare(model, tile), maps)
    assert not np.array_equal(bare(learnt.predictor, tile), maps)


@pytest.mark.parametrize("scope", ["head", "decoder"])
def test_cached_features_stay_valid_but_for_the_whole_network(scope):
    model = predictor()
    tile = example(model, *MARKS)
    learnt = learn.learn(model, [tile], LearnOptions(scope, steps=2, rate=0.1)).predictor
    again = learnt.features(tile.image[None])[0]
    assert all(torch.equal(a, b) for a, b in zip(tile.features.tensors, again.tensors))
    sides = model.network.encoder, learnt.network.encoder
    assert all(a.data_ptr() == b.data_ptr() for a, b in zip(*(side.parameters() for side in sides)))


def test_a_tile_without_cached_features_gives_the_same():
    model = predictor()
    options = LearnOptions("decoder", steps=2, rate=0.1)
    results = [learn.learn(model, [example(model, *MARKS, cached=c)], options).predictor for c in (True, False)]
    assert all(torch.equal(a, b) for a, b in zip(*(state(result).values() for result in results)))


def test_statistics_of_norms_and_what_reads_marks_stay_as_they_were():
    model = predictor()
    learnt = learn.learn(model, [example(model, *MARKS)], LearnOptions("all", steps=2, rate=0.1), drop=0.5).predictor
    fixed = ("running_mean", "running_var", "num_batches_tracked", "mark_", "affinity")
    changed = [name for name, tensor in state(learnt).items() if not torch.equal(tensor, state(model)[name])]
    assert changed
    assert not [name for name in changed if any(part in name for part in fixed)]


@pytest.mark.parametrize("scope", ["head", "decoder"])
def test_the_same_seed_learns_the_same(scope):
    model = predictor()
    options = LearnOptions(scope, steps=3, rate=0.1)
    learnt = [learn.learn(model, [example(model, *MARKS)], options, drop=0.5, seed=s).predictor for s in (1, 1)]
    assert all(torch.equal(a, b) for a, b in zip(*(state(result).values() for result in learnt)))


def test_more_regularisation_changes_the_map_less():
    model = predictor()
    tile = unheard(example(model, *MARKS))
    shift = []
    for weight in (0.0, 1.0, 30.0):
        options = LearnOptions("decoder", steps=5, rate=0.02, regularisation=weight)
        learnt = learn.learn(model, [tile], options).predictor
        lesson = prepare(tile, model.network, model.device)
        shift.append(float(learn.moved(torch.from_numpy(bare(learnt, tile))[None], lesson)))
    assert shift[0] > shift[1] > shift[2]


def test_learning_stops_between_two_tiles_and_reports_its_steps():
    model = predictor()
    tiles, reports = [example(model, *MARKS), example(model, *MARKS, seed=1)], []
    options = LearnOptions("decoder", steps=3)
    asked = iter([False, False, False, True])
    with pytest.raises(Cancelled):
        learn.learn(model, tiles, options, stopped=lambda: next(asked), report=lambda *r: reports.append(r))
    assert reports == [(1, 3)]


def library(architecture):
    pytest.importorskip("segmentation_models_pytorch")
    return predictor(architecture=architecture, encoder="resnet18")


@pytest.mark.parametrize("name", ["late", "early", "unet", "fpn", "pspnet"])
def test_the_design_times_the_weights_is_the_last_layer(name):
    model = predictor(**({} if name == "late" else EARLY)) if name in ("late", "early") else library(name)
    network = model.network
    rows, cols = torch.tensor([0, 3, 17, 31]), torch.tensor([31, 0, 14, 30])
    with torch.no_grad():
        features = network.features(torch.randn(1, 3, SIZE, SIZE))
        x, _ = network.trunk(features, torch.zeros(1, CLASSES, SIZE, SIZE))
        expected = network.head(x)[0, :, rows, cols].T
        found = last_layer.design(network.head, x, rows, cols) @ last_layer.weights(network.head)
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("changes", [{}, EARLY], ids=["late", "early"])
def test_weights_that_are_set_are_read_again(changes):
    head = predictor(**changes).network.head
    values = torch.randn_like(last_layer.weights(head))
    last_layer.set_weights(head, values)
    assert torch.equal(last_layer.weights(head), values)


def test_the_solution_is_that_of_a_general_optimiser():
    rng = np.random.default_rng(0)
    target = rng.dirichlet(np.ones(3), 12)
    sample = regression.Sample(rng.normal(size=(12, 4)), rng.normal(size=(12, 3)), target, rng.uniform(0, 0.2, 12))
    start = rng.normal(size=(4, 3))

    def slow(flat):
        total = regression.RIDGE * float(((flat - start.ravel()) ** 2).sum())
        for numbers, beside, wanted, weight in zip(sample.design, sample.beside, sample.target, sample.weight):
            z = numbers @ flat.reshape(4, 3) + beside
            total -= weight * float(wanted @ (z - math.log(np.exp(z).sum())))
        return total

    general = optimize.minimize(slow, start.ravel(), method="BFGS").x  # slopes by differences
    solved = regression.solve(start, sample)
    assert slow(solved.ravel()) == pytest.approx(slow(general), abs=1e-5)
    assert np.allclose(solved.ravel(), general, atol=0.05)


def test_festa_agrees_with_a_slow_loop():
    x = torch.randn(1, 5, 4, 6)
    pixels = [(r, c) for r in range(4) for c in range(6)]
    at = {place: x[0, :, place[0], place[1]].numpy() for place in pixels}
    cos = lambda a, b: float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))  # noqa: E731
    total = np.zeros(3)
    for r, c in pixels:
        others = [at[q] for q in pixels if q != (r, c)]
        nearest = min(others, key=lambda v: np.linalg.norm(at[r, c] - v))
        farthest = min(others, key=lambda v: cos(at[r, c], v))
        beside = [at[q] for q in pixels if max(abs(q[0] - r), abs(q[1] - c)) == 1]
        total += np.linalg.norm(at[r, c] - nearest) ** 2, min(np.linalg.norm(at[r, c] - v) ** 2 for v in beside), \
            cos(at[r, c], farthest)  # fmt: skip
    expected = 0.1 * total / 24 @ (0.5, 1.5, 1.0)  # the weights of the authors' code
    assert float(festa.relations(x, seed=0, share=1.0)) == pytest.approx(float(expected), rel=1e-4)


def test_festa_can_stand_in_for_the_regularisation():
    model = predictor()
    options = LearnOptions("decoder", steps=2, rate=0.01, regularisation=0.0)
    wtp, with_festa = (
        learn.learn(model, [unheard(example(model, *MARKS))], options, relations=relations).predictor
        for relations in (None, festa.relations)
    )
    assert not torch.equal(wtp.network.head.weight, with_festa.network.head.weight)
