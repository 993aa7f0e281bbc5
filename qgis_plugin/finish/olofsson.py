"""Accuracy and areas from a stratified random sample of a map.

Equations are those of Olofsson, Foody, Herold, Stehman, Woodcock and Wulder, "Good practices for estimating area and
assessing accuracy of land change", Remote Sensing of Environment 148 (2014), 42-57. The strata are the map's classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Z_95 = 1.96  # standard errors on either side that make a 95 % confidence interval
FEWEST = 2  # samples of a stratum, for its variance to be known


@dataclass(frozen=True)
class Estimate:
    """A proportion 0 … 1 and its standard error, float (classes,) each or single numbers; NaN where there is none."""

    value: np.ndarray
    error: np.ndarray

    @property
    def margin(self) -> np.ndarray:
        """Half the width of the 95 % confidence interval."""
        return Z_95 * self.error


@dataclass(frozen=True)
class Assessment:
    """What a sample says of a map of k classes.

    counts     int (k, k): samples by map class (rows) and reference class (columns)
    weights    float (k,): the share of the map's area that each class has on the map, W_i
    cells      float (k, k): estimated share of the area in each cell of the error matrix, p_ij
    overall    overall accuracy, a single number
    users      user's accuracy by class: of what the map calls so, how much is
    producers  producer's accuracy by class: of what is so, how much the map calls so
    areas      share of the area that each class has in truth
    """

    counts: np.ndarray
    weights: np.ndarray
    cells: np.ndarray
    overall: Estimate
    users: Estimate
    producers: Estimate
    areas: Estimate


def assess(counts: np.ndarray, weights: np.ndarray) -> Assessment:
    """Assess a map from its error matrix of sample counts, int (k, k), rows are map classes, and the classes' shares of
    the mapped area, float (k,), which need not add up to 1.

    A class with an area needs at least two samples, else ValueError. A class that the map lacks has weight 0.
    """
    counts, weights = np.asarray(counts, float), np.asarray(weights, float)
    weights = weights / weights.sum()
    totals = counts.sum(axis=1)  # n_i.
    if (totals[weights > 0] < FEWEST).any():
        raise ValueError(f"every class of the map needs at least {FEWEST} samples")
    mapped = (weights > 0)[:, np.newaxis]
    within = np.divide(counts, totals[:, np.newaxis], out=np.zeros_like(counts), where=mapped)  # n_ij / n_i.
    spread = np.divide(within * (1 - within), totals[:, np.newaxis] - 1, out=np.zeros_like(counts), where=mapped)
    cells = weights[:, np.newaxis] * within  # equation 4
    areas = cells.sum(axis=0)  # equation 9
    squared = weights[:, np.newaxis] ** 2 * spread
    overall = Estimate(np.trace(cells), np.sqrt(np.trace(squared)))  # equations 1 and 5
    users = Estimate(*(np.where(weights > 0, diagonal, np.nan) for diagonal in _users(within, spread)))
    return Assessment(
        counts=counts.astype(int),
        weights=weights,
        cells=cells,
        overall=overall,
        users=users,
        producers=_producers(cells, squared, areas),
        areas=Estimate(areas, np.sqrt(squared.sum(axis=0))),  # equation 10
    )


def _users(within: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Equations 2 and 6."""
    return np.diagonal(within), np.sqrt(np.diagonal(spread))


def _producers(cells: np.ndarray, squared: np.ndarray, areas: np.ndarray) -> Estimate:
    """Equations 3 and 7, with N_i. and N_.j as shares of their total."""
    there = areas > 0
    value = np.divide(np.diagonal(cells), areas, out=np.full(len(areas), np.nan), where=there)
    own = np.diagonal(squared)
    others = squared.sum(axis=0) - own
    variance = (1 - value) ** 2 * own + value**2 * others
    return Estimate(value, np.divide(np.sqrt(variance), areas, out=np.full(len(areas), np.nan), where=there))
