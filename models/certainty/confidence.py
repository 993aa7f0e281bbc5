"""ConfidNet: a small network that learns how probable the true class is, from what the last layer sees.

Corbière et al. 2019, as DIAL has it (section III-C): the segmentation network stays as it is; 3×3 convolutions of 120,
64 and 32 channels, a transposed convolution and a sigmoid are trained on the squared difference to the probability that
the network gives the true class. DIAL puts the transposed convolution first; here it comes last, so that the
convolutions run on the coarser map: a quarter of the work for features at stride 2.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from terrafine.models.certainty.uncertainty import Shown
from terrafine.models.metrics import VOID
from terrafine.models.networks.network import MarkedNetwork
from terrafine.shared.spec import ModelSpec

WIDTHS = (120, 64, 32)
PROBE_PX = 64  # side of the tile that shows a network's last features


class ConfidNet(nn.Module):
    """Last features (B, inputs, H / stride, W / stride) → confidence (B, H, W) in [0, 1], 1 for sure."""

    def __init__(self, inputs: int, stride: int) -> None:
        super().__init__()
        pairs = zip((inputs, *WIDTHS[:-1]), WIDTHS)
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairs)
        self.grow = nn.ConvTranspose2d(WIDTHS[-1], 1, stride, stride)

    def forward(self, x: Tensor) -> Tensor:
        for convolution in self.convolutions:
            x = F.relu(convolution(x))
        return torch.sigmoid(self.grow(x))[:, 0]


@torch.no_grad()
def for_network(network: MarkedNetwork, spec: ModelSpec) -> ConfidNet:
    """An untrained ConfidNet that fits; raises UnusableModel for a network without a last layer."""
    network.eval()
    device = next(network.parameters()).device
    image = torch.zeros(1, len(spec.bands), PROBE_PX, PROBE_PX, device=device)
    marks = torch.zeros(1, len(spec.classes), PROBE_PX, PROBE_PX, device=device)
    last, _ = network.trunk(network.features(image), marks)
    return ConfidNet(last.shape[1], PROBE_PX // last.shape[2]).to(device)


def true_probability(logits: Tensor, truth: Tensor) -> Tensor:
    """Softmax of logits (B, classes, H, W) at the truth uint8 (B, H, W): float32 (B, H, W), anything where void."""
    known = torch.where(truth == VOID, 0, truth.long())
    return logits.float().softmax(1).gather(1, known[:, None])[:, 0]


def gain(logits: Tensor, temperature: float, shown: Shown) -> Tensor:
    """What the largest probability becomes ÷ what it is, where classes are merged or left out: ConfidNet knows those of
    the network alone, and is taken to become surer by the same factor.

    logits  (classes, …); see uncertainty.py for `shown`
    """
    before, after = ((some / temperature).softmax(0).amax(0) for some in (logits, shown(logits)))
    return after / before


def save(path: Path, confidence: ConfidNet) -> None:
    save_file({name: tensor.contiguous() for name, tensor in confidence.state_dict().items()}, path)


def load(path: Path) -> ConfidNet:
    """What `save` wrote; raises OSError, SafetensorError, KeyError or RuntimeError for anything else."""
    tensors = load_file(path)
    confidence = ConfidNet(tensors["convolutions.0.weight"].shape[1], tensors["grow.weight"].shape[2])
    confidence.load_state_dict(tensors)
    return confidence.eval()
