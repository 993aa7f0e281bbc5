"""Side information: diffusion and kernel regression by hand, and against slow loops in the paper's own order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from terrafine.models.networks.diffusion import Diffusion, KernelRegression, box_sum, with_occupancy

CLASSES = 3


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def annotated(*pixels, size=16, inputs=CLASSES):
    """One-hot vectors at (class, row, column)."""
    image = torch.zeros(1, inputs, size, size)
    for class_id, row, col in pixels:
        image[0, class_id, row, col] = 1.0
    return image


def spreading(*weights):
    module = Diffusion(CLASSES, 4, rounds=len(weights))
    module.weights.data = torch.tensor(weights)
    return module


def test_a_point_reaches_a_square_for_every_round_and_each_round_has_its_weight():
    spread = spreading(3.0, 0.5).diffused(annotated((1, 8, 8)))[0]
    assert spread[1, 8, 8].item() == 3.5
    assert spread[1, 7, 9].item() == 3.5
    assert spread[1, 10, 6].item() == 0.5
    assert spread[1, 11, 8].item() == 0.0
    assert not spread[[0, 2]].any()


def test_between_two_points_lies_their_average_and_beside_one_it_alone():
    spread = spreading(1.0).diffused(annotated((0, 8, 7), (2, 8, 9)))[0]
    assert spread[:, 8, 8].tolist() == [0.5, 0.0, 0.5]
    assert spread[:, 8, 6].tolist() == [1.0, 0.0, 0.0]


def test_vectors_that_share_a_pixel_have_unit_length_together_as_one_alone_has():
    vectors = with_occupancy(annotated((0, 3, 3), (2, 3, 3), (1, 5, 5)))[0]
    assert vectors[:3, 3, 3].norm().item() == pytest.approx(1.0)
    assert vectors[:, 5, 5].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert vectors.count_nonzero() == 5


def slow_side_information(module, image):
    """The paper's order: linear layer and unit length first, one pixel at a time, pooling at the end."""
    size, dimension = image.shape[-1], len(module.layer.weight)
    layer = torch.nn.functional.normalize(module.layer.weight.detach()[:, :, 0, 0], dim=0).numpy()
    vectors, occupied = np.zeros((dimension, size, size)), np.zeros((size, size))
    for class_id, row, col in image[0].nonzero().tolist():
        vectors[:, row, col] = layer[:, class_id]
        occupied[row, col] = 1.0
    total = np.zeros_like(vectors)
    for weight in module.weights.tolist():
        vectors, occupied = slow_sum(vectors), slow_sum(occupied[None])[0]
        total += weight * vectors / np.maximum(occupied, 1.0)
    cells = np.full((dimension, size // 4, size // 4), -np.inf)
    for row, col in np.ndindex(cells.shape[1:]):
        top, left = max(0, 4 * row - 1), max(0, 4 * col - 1)
        cells[:, row, col] = total[:, top : 4 * row + 5, left : 4 * col + 5].max(axis=(1, 2))
    return cells


def slow_sum(image):
    padded, result = np.pad(image, ((0, 0), (1, 1), (1, 1))), np.zeros_like(image)
    for row, col in np.ndindex(image.shape[1:]):
        result[:, row, col] = padded[:, row : row + 3, col : col + 3].sum(axis=(1, 2))
    return result


pixel = st.tuples(st.integers(0, CLASSES - 1), st.integers(0, 11), st.integers(0, 11))


@settings(max_examples=25)
@given(st.lists(pixel, max_size=30, unique_by=lambda p: p[1:]))
def test_diffusion_agrees_with_slow_loops_in_the_papers_order(pixels):
    module = spreading(1.0, -0.4, 0.7)
    image = annotated(*pixels, size=12)
    found = module(image)[0].detach().numpy()
    np.testing.assert_allclose(found, slow_side_information(module, image), atol=1e-5)


def test_the_sum_over_three_by_three_pixels_agrees_with_a_slow_loop():
    image = torch.randn(1, 2, 7, 5)
    np.testing.assert_allclose(box_sum(image)[0].numpy(), slow_sum(image[0].numpy()), atol=1e-5)


def test_where_all_is_annotated_alike_nothing_is_lost_to_rounding():
    image = torch.zeros(1, CLASSES, 32, 32)
    image[:, 1] = 1.0
    assert torch.equal(spreading(1.0, 1.0, 1.0, 1.0, 1.0).diffused(image)[0, 1], torch.full((32, 32), 5.0))


def test_strokes_start_with_the_nearest_alone_and_points_with_all_distances():
    assert Diffusion(3, 4, sparse=False).weights.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert Diffusion(3, 4, sparse=True).weights.tolist() == [1.0] * 5


def test_from_cell_to_cell_a_point_reaches_four_times_as_far_and_a_cell_has_the_mean_of_its_annotations():
    module = Diffusion(CLASSES, 4, rounds=2, coarse=True)
    module.weights.data = torch.tensor([1.0, 0.5])
    cells = torch.nn.functional.avg_pool2d(annotated((1, 9, 9), (1, 10, 10), size=32), 4)
    spread = module.diffused(cells)[0]
    assert spread[1, 2, 2].item() == pytest.approx(1.5)
    assert spread[1, 4, 4].item() == pytest.approx(0.5)
    assert spread[1, 5, 2].item() == 0.0
    assert torch.equal(module(annotated((1, 9, 9), (1, 10, 10), size=32))[0], module.layer(spread[None])[0])


def test_many_rounds_weigh_together_what_five_do():
    assert Diffusion(3, 4, rounds=20).weights.sum().item() == pytest.approx(5.0)


def test_without_a_round_vectors_stay_where_they_are():
    image = annotated((1, 8, 8))
    assert torch.equal(Diffusion(CLASSES, 4, rounds=0).diffused(image), image)


def test_without_annotations_there_is_no_side_information():
    for module in (spreading(1.0, 1.0), KernelRegression(CLASSES, 4)):
        assert not module(torch.zeros(2, CLASSES, 16, 16)).any()


def slow_regression(module, image):
    """Nadaraya and Watson's mean over all annotations, cell by cell."""
    places = image[0].nonzero().tolist()
    sigma, cells = float(module.bandwidth.detach().exp()), np.zeros((CLASSES, 4, 4))
    for row, col in np.ndindex(4, 4):
        squares = [(4 * row + 2 - r - 0.5) ** 2 + (4 * col + 2 - c - 0.5) ** 2 for _, r, c in places]
        shares = np.exp(-0.5 * np.array(squares) / sigma**2)
        for share, (class_id, _, _) in zip(shares / shares.sum(), places):
            cells[class_id, row, col] += share
    return cells


def test_kernel_regression_agrees_with_a_slow_loop():
    module, image = KernelRegression(CLASSES, 4), annotated((0, 1, 2), (1, 9, 14), (1, 15, 0), (2, 7, 7))
    module.bandwidth.data.fill_(np.log(5.0))
    np.testing.assert_allclose(
        module.regressed(image[0]).detach().numpy(), slow_regression(module, image), atol=1e-5
    )  # fmt: skip


def test_kernel_regression_looks_at_the_nearest_annotations_only():
    crowd = [(0, row, col) for row in range(5) for col in range(5)]
    found = KernelRegression(CLASSES, 4).regressed(annotated(*crowd, (2, 15, 15))[0])
    assert found[2, 0, 0] == 0.0
    assert found[2, 3, 3] > 0.0


def test_what_weighs_marks_is_learnt():
    for module in (spreading(1.0, 1.0), KernelRegression(CLASSES, 4)):
        module(annotated((0, 3, 3), (1, 9, 12))).square().sum().backward()
        assert all(parameter.grad.abs().sum() > 0 for parameter in module.parameters())
