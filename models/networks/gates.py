"""Adaptive inference gates: blocks that an image can do without are left out (SideInfNet, section 3.4).

    x_{l+1} = x_l + z_l(h(x_l)) · F(x_l)       h: mean over the map;  z: 1 or 0, by a small perceptron

Trainings draw z with the probability that the perceptron says, and let the gradient pass straight through the decision
(Veit and Belongie 2018); afterwards z is 1 where that probability exceeds one half. (rate − target)² is added to the
loss, `rate` being the share of blocks that ran.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

HIDDEN = 16
OPEN = 2.0  # at the start a gate is open with probability σ(2) = 0.88


class Gate(nn.Module):
    """Map (B, C, H, W) → z (B,), 1 to run the block and 0 to leave it out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Linear(HIDDEN, 1)
        nn.init.constant_(last.bias, OPEN)
        self.relevance = nn.Sequential(nn.Linear(channels, HIDDEN), nn.ReLU(), last)

    def forward(self, x: Tensor) -> Tensor:
        score = self.relevance(x.mean((2, 3)))[:, 0].float()
        if not self.training:
            return (score > 0).float()
        chance = torch.rand_like(score).clamp(1e-6, 1 - 1e-6)
        soft = (score + chance.logit()).sigmoid()
        return (soft > 0.5).float() + soft - soft.detach()


def gated(block: nn.Module, z: Tensor, x: Tensor) -> Tensor:
    """block(x) of the images with z = 1, x itself of the others; outside of training the block is not run for these.

    `block` adds F(x) to x by itself.
    """
    if z.requires_grad or block.training:  # then batch norms need the whole batch
        open_ = z.to(x.dtype)[:, None, None, None]
        return open_ * block(x) + (1 - open_) * x
    runs = z > 0
    if runs.all():
        ran: Tensor = block(x)
        return ran
    out = x.clone()
    if runs.any():
        out[runs] = block(x[runs])
    return out
