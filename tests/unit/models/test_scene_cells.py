"""The cells that a scene layer is learnt from, against slow loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from terrafine.models.infer import TileFeatures
from terrafine.models.learning.lesson import Example
from terrafine.models.learning.scene_cells import NEAR_PX, NOTHING, cells_of
from terrafine.models.networks.scene import CELL_PX

SIZE, CLASSES, COLOURS = 32, 3, 2
SIDE = SIZE // CELL_PX
EACH_SHOWN = torch.eye(CLASSES)
LAST_TWO_MERGED = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])


def tile(*marks, valid=None, seed=0):
    """A tile of random maps with marks (class, row, column)."""
    rng = np.random.default_rng(seed)
    marked = np.full((SIZE, SIZE), -1, np.int16)
    for class_id, row, col in marks:
        marked[row, col] = class_id
    features = TileFeatures((torch.zeros(1), torch.from_numpy(rng.normal(size=(1, COLOURS, SIDE, SIDE)))))
    logits = tuple(torch.from_numpy(rng.normal(size=(CLASSES, SIZE, SIZE))).half() for _ in range(2))
    nothing = np.zeros((CLASSES, SIZE, SIZE), np.float32)
    return Example(features, nothing, nothing, marked, np.ones((SIZE, SIZE), bool) if valid is None else valid, logits)


def found(*tiles, groups=EACH_SHOWN):
    return cells_of(None, tiles, groups)  # no network is asked for what is known


def test_a_cell_has_the_mean_shares_of_its_pixels():
    example = tile((0, 5, 6))
    cells = found(example, groups=LAST_TWO_MERGED)
    for logits, shares in zip(example.logits, (cells.bare, cells.full)):
        for row, col in ((0, 0), (3, 6)):
            sums = np.zeros(2)
            for y in range(CELL_PX * row, CELL_PX * row + CELL_PX):
                for x in range(CELL_PX * col, CELL_PX * col + CELL_PX):
                    powers = [math.exp(value) for value in logits[:, y, x].tolist()]
                    sums += np.array([powers[0], powers[1] + powers[2]]) / sum(powers)
            assert np.allclose(shares[row * SIDE + col], np.log(sums / CELL_PX**2), atol=1e-3)


def test_the_mark_nearest_to_its_middle_counts_where_it_is_near():
    marks = [(0, 5, 6), (2, 8, 13), (1, 30, 1), (1, 31, 1)]
    cells = found(tile(*marks))
    for index in range(SIDE**2):
        y, x = (CELL_PX * place + CELL_PX // 2 for place in divmod(index, SIDE))
        distances = [math.hypot(y - row, x - col) for _, row, col in marks]
        nearest = marks[int(np.argmin(distances))][0] if min(distances) <= NEAR_PX else NOTHING
        assert cells.marked[index] == nearest
        inside = [(row // CELL_PX) * SIDE + col // CELL_PX == index for _, row, col in marks]
        assert cells.held[index] == sum(inside)


def test_of_merged_classes_the_shown_one_is_marked():
    cells = found(tile((2, 5, 6)), groups=LAST_TWO_MERGED)
    assert set(cells.marked) == {NOTHING, 1}


def test_cells_that_are_not_all_data_are_left_out():
    valid = np.ones((SIZE, SIZE), bool)
    valid[:, 17:] = False
    example = tile((0, 5, 6), valid=valid)
    cells = found(example)
    assert len(cells.colours) == len(cells.bare) == len(cells.marked) == SIDE * 4
    assert torch.equal(cells.colours[5], example.features.tensors[-1][0, :, 1, 1].float())


def test_tiles_come_one_after_the_other():
    tiles = tile((0, 5, 6)), tile((1, 9, 9), seed=1)
    both, parts = found(*tiles), [found(one) for one in tiles]
    for name in ("colours", "bare", "full", "marked", "held"):
        assert np.array_equal(getattr(both, name), np.concatenate([getattr(part, name) for part in parts]))


@pytest.mark.parametrize("which", [0, 1])
def test_maps_that_are_not_known_are_asked_for(which):
    class Asked:
        def logits(self, features, channels):
            return np.full((1, CLASSES, SIZE, SIZE), float(channels.any())) * np.arange(CLASSES)[:, None, None]

    example = tile((0, 5, 6))
    channels = example.channels.copy()
    channels[0, 5, 6] = 1.0
    cells = cells_of(
        Asked(), [Example(example.features, example.image, channels, example.marked, example.valid)], EACH_SHOWN
    )
    shares = (cells.bare, cells.full)[which]
    assert np.allclose(shares, torch.arange(CLASSES).mul(float(which)).log_softmax(0).numpy(), atol=1e-5)
