"""What training minimises."""

from __future__ import annotations

from collections.abc import Sequence

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


def object_loss(outputs: Sequence[Tensor], truth: Tensor) -> Tensor:
    """The sum of the outputs' binary cross entropies (IOG, section 3.2), each once: one number an object, (B,).

    outputs  logits (B, H, W), the side outputs and the answer;  truth  uint8 (B, H, W), 1 for the object, void left out
    """
    known = (truth != VOID).float()
    wanted = (truth == 1).float()
    total = sum(F.binary_cross_entropy_with_logits(x.float(), wanted, reduction="none") for x in outputs)
    return (total * known).sum((1, 2)) / known.sum((1, 2)).clamp_min(1.0)
