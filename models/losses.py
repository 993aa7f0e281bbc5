"""What training minimises."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from terrafine.models.metrics import VOID


def cross_entropy(logits: Tensor, truth: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Mean cross entropy of logits (B, classes, H, W) against truth uint8 (B, H, W), void left out; a scalar."""
    return F.cross_entropy(logits.float(), truth.long(), class_weights, ignore_index=VOID)


def class_weights(counts: Tensor, power: float) -> Tensor:
    """Weights ∝ frequency^(−power), 0 for absent classes, of mean 1 over the pixels; counts (classes,)."""
    share = counts.double() / counts.sum()
    weights = torch.where(share > 0, share.clamp_min(1e-12).pow(-power), 0.0)
    return (weights / (weights * share).sum()).float()
