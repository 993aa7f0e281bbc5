"""ConfidNet: a small network that learns how probable the true class is, from what the last layer sees.

Corbière et al. 2019, as DIAL has it (section III-C): the segmentation network stays as it is; 3×3 convolutions of 120,
64 and 32 channels, a transposed convolution and a sigmoid are trained on the squared difference to the probability that
the network gives the true class. DIAL puts the transposed convolution first; here it comes last, so that the
convolutions run on the coarser map: a quarter of the work for features at stride 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from terrafine.models import simulate
from terrafine.models.context import context_of
from terrafine.models.data import Augmentation, CropSampler, Scene
from terrafine.models.encoding import encode
from terrafine.models.metrics import VOID
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.normalise import to_network
from terrafine.shared.geo import Window
from terrafine.shared.spec import ModelSpec

WIDTHS = (120, 64, 32)
PROBE_PX = 64  # side of the tile that shows a network's last features
Floats = NDArray[np.float32]


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


@dataclass(frozen=True)
class ConfidenceOptions:
    """DIAL's: 10 epochs of Adam at 1e-4. An epoch is as many crops as have the area of the scenes."""

    epochs: int = 10
    batch: int = 8
    crop_px: int = 256
    lr: float = 1e-4
    marked: float = 0.5  # share of the crops that have marks, 1 to `most_marks` points
    most_marks: int = 24
    seed: int = 1


DEFAULTS = ConfidenceOptions()


@torch.no_grad()
def for_network(network: MarkedNetwork, spec: ModelSpec) -> ConfidNet:
    """An untrained ConfidNet that fits; raises UnusableModel for a network without a last layer."""
    network.eval()
    device = next(network.parameters()).device
    image = torch.zeros(1, len(spec.bands), PROBE_PX, PROBE_PX, device=device)
    marks = torch.zeros(1, len(spec.classes), PROBE_PX, PROBE_PX, device=device)
    last, _ = network.trunk(network.features(image), marks)
    return ConfidNet(last.shape[1], PROBE_PX // last.shape[2]).to(device)


def train_confidence(
    confidence: ConfidNet,
    network: MarkedNetwork,
    spec: ModelSpec,
    scenes: Sequence[Scene],
    options: ConfidenceOptions = DEFAULTS,
) -> Iterator[tuple[int, int, float]]:
    """Train `confidence` beside the frozen `network`, on its device; yields (step, steps, loss) after every step."""
    sampler = CropSampler(scenes, len(spec.classes), options.crop_px, Augmentation())
    area = sum(scene.truth.size for scene in scenes)
    steps = max(1, round(options.epochs * area / (options.batch * options.crop_px**2)))
    optimiser = torch.optim.Adam(confidence.parameters(), lr=options.lr)
    network.eval()
    for step in range(steps):
        rng = np.random.default_rng((options.seed, step))
        last, target, counted = _lesson(network, spec, sampler, options, rng)
        loss = F.mse_loss(confidence(last)[counted], target[counted])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        yield step + 1, steps, float(loss.detach())


@torch.no_grad()
def _lesson(
    network: MarkedNetwork, spec: ModelSpec, sampler: CropSampler, options: ConfidenceOptions, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Last features of a batch, the probability of the true class (B, H, W), and where there is a truth."""
    device = next(network.parameters()).device
    crops = [sampler.draw(rng) for _ in range(options.batch)]
    images = np.stack([to_network(image, np.ones(truth.shape, bool), spec) for image, truth in crops])
    truth = np.stack([truth for _, truth in crops])
    features = network.features(torch.from_numpy(images).to(device, memory_format=torch.channels_last))
    empty = torch.zeros(len(truth), len(spec.classes), *truth.shape[1:], device=device)
    plain = network.decode(features, empty).float().cpu().numpy()
    marks = np.stack([_channels(*crop, spec, options, rng) for crop in zip(images, plain, truth)])
    last, beside = network.trunk(features, torch.from_numpy(marks).to(device))
    logits = (network.head(last) + beside) / spec.temperature
    known = torch.from_numpy(truth).to(device)
    return last, true_probability(logits, known), known != VOID


def true_probability(logits: Tensor, truth: Tensor) -> Tensor:
    """Softmax of logits (B, classes, H, W) at the truth uint8 (B, H, W): float32 (B, H, W), anything where void."""
    known = torch.where(truth == VOID, 0, truth.long())
    return logits.float().softmax(1).gather(1, known[:, None])[:, 0]


def _channels(
    image: Floats, plain: Floats, truth: NDArray[np.uint8], spec: ModelSpec, options: ConfidenceOptions,
    rng: np.random.Generator,
) -> Floats:  # fmt: skip
    """Marks as an analyst might have set them, encoded, or none."""
    count = int(rng.integers(1, options.most_marks + 1)) if rng.random() < options.marked else 0
    marks = simulate.marks_from_truth(truth, count, rng)
    window = Window(0, 0, truth.shape[1], truth.shape[0])
    return encode(marks, window, spec.encoding, len(spec.classes), context=context_of(spec, image, lambda: plain))


def save(path: Path, confidence: ConfidNet) -> None:
    save_file({name: tensor.contiguous() for name, tensor in confidence.state_dict().items()}, path)


def load(path: Path) -> ConfidNet:
    """What `save` wrote; raises OSError, SafetensorError, KeyError or RuntimeError for anything else."""
    tensors = load_file(path)
    confidence = ConfidNet(tensors["convolutions.0.weight"].shape[1], tensors["grow.weight"].shape[2])
    confidence.load_state_dict(tensors)
    return confidence.eval()
