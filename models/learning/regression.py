"""Multinomial logistic regression with targets that may be shares, and with logits that are there already.

In single precision, and class by class in memory: what is learnt from clicks has to be there within a click's time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import optimize

RIDGE = 1e-3
ITERATIONS = 50
TOLERANCE = 1e-6  # of the loss, relative: below, single precision is all noise

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """N pixels or cells.

    design  (N, D), what the layer sees
    beside  (N, classes), what is added to its output
    target  (N, classes), what p should be
    weight  (N,), how much that counts
    """

    design: Doubles
    beside: Doubles
    target: Doubles
    weight: Doubles


def solve(start: Doubles, sample: Sample, ridge: float = RIDGE) -> Doubles:
    """The weights (D, classes) that minimise the weighted cross entropy of `sample` to its targets, and `ridge` times
    the square of what they are away from `start`; by L-BFGS.
    """
    objective = _Objective(start, sample, ridge)
    found = optimize.minimize(
        objective, np.zeros(start.size), jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS, "ftol": TOLERANCE}
    )
    return cast(Doubles, start + found.x.reshape(start.shape[::-1]).T)


class _Objective:
    """A change of the weights, flat and class by class → the loss and its slope."""

    def __init__(self, start: Doubles, sample: Sample, ridge: float) -> None:
        self.rows, self.ridge = _single(sample.design), ridge
        self.columns = self.rows.T.contiguous()
        self.beside = _single((sample.beside + sample.design @ start).T)
        self.weight = _single(sample.weight)
        self.wanted = _single((sample.target * sample.weight[:, None]).T)

    def __call__(self, flat: Doubles) -> tuple[float, Doubles]:
        change = torch.from_numpy(flat).float().view(len(self.beside), -1)
        log_p = torch.addmm(self.beside, change, self.columns).log_softmax(0)
        loss = self.ridge * change.square().sum() - (self.wanted * log_p).sum()
        missed = log_p.exp_().mul_(self.weight).sub_(self.wanted)
        slope = torch.addmm(change, missed, self.rows, beta=2 * self.ridge)
        return float(loss), slope.double().numpy().ravel()


def _single(values: Doubles) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
