"""Stratified random samples of a map: how many of each class, and which pixels."""

from __future__ import annotations

import math
from typing import Iterable, Mapping

import numpy as np

from terrafine.shared.geo import Window

EQUAL, PROPORTIONAL, MINIMUM = range(3)


def allocate(pixels: Mapping[int, int], total: int, method: int, minimum: int) -> dict[int, int]:
    """How many samples each class gets, by class id.

    pixels   of each class on the map
    method   EQUAL: the same number each. PROPORTIONAL: by pixels. MINIMUM: at least `minimum`, the others sharing what
             is left by pixels, as Olofsson et al. (2014) advise: rare classes need samples for their user's accuracy,
             large ones for the overall accuracy and the areas
    No class gets more than it has pixels; with MINIMUM, there may be more than `total` altogether.
    """
    if method == EQUAL:
        shares = _apportion(dict.fromkeys(pixels, 1), total)
    elif method == PROPORTIONAL:
        shares = _apportion(pixels, total)
    else:
        shares = _with_minimum(pixels, total, minimum)
    return {class_id: min(shares[class_id], count) for class_id, count in pixels.items()}


def choose_ranks(pixels: Mapping[int, int], samples: Mapping[int, int], seed: int) -> dict[int, np.ndarray]:
    """Which pixels of each class are sampled: ranks in the order in which a map's pixels come, int, ascending."""
    rng = np.random.default_rng(seed)
    return {
        class_id: np.sort(rng.choice(pixels[class_id], count, replace=False)) for class_id, count in samples.items()
    }


def find_pixels(
    blocks: Iterable[tuple[Window, np.ndarray]], ranks: Mapping[int, np.ndarray]
) -> list[tuple[int, int, int]]:
    """(column, row, class id) of the pixels with these ranks, in a map that comes in blocks of class ids."""
    found, seen = [], dict.fromkeys(ranks, 0)
    for window, classes in blocks:
        for class_id, wanted in ranks.items():
            places = np.flatnonzero(classes == class_id)
            first, last = np.searchsorted(wanted, [seen[class_id], seen[class_id] + len(places)])
            rows, cols = np.unravel_index(places[wanted[first:last] - seen[class_id]], classes.shape)
            found += [(int(col) + window.col, int(row) + window.row, class_id) for col, row in zip(cols, rows)]
            seen[class_id] += len(places)
    return found


def shuffled(pixels: list[tuple[int, int, int]], seed: int) -> list[tuple[int, int, int]]:
    """The samples in an order that tells nothing of their class."""
    return [pixels[place] for place in np.random.default_rng(seed).permutation(len(pixels))]


def _with_minimum(pixels: Mapping[int, int], total: int, minimum: int) -> dict[int, int]:
    """Proportional, where that gives the minimum; the minimum elsewhere."""
    shared, small = dict(pixels), dict[int, int]()
    while shared:
        shares = _apportion(shared, max(0, total - minimum * len(small)))
        below = [class_id for class_id, share in shares.items() if share < minimum]
        if not below:
            return {**small, **shares}
        for class_id in below:
            small[class_id] = minimum
            del shared[class_id]
    return small


def _apportion(weights: Mapping[int, int], total: int) -> dict[int, int]:
    """`total` shared out by weights, in whole numbers: what is left over goes to the largest remainders."""
    exact = {class_id: total * weight / sum(weights.values()) for class_id, weight in weights.items()}
    shares = {class_id: math.floor(share) for class_id, share in exact.items()}
    by_remainder = sorted(exact, key=lambda class_id: shares[class_id] - exact[class_id])
    for class_id in by_remainder[: total - sum(shares.values())]:
        shares[class_id] += 1
    return shares
