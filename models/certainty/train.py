"""What a ConfidNet learns from: crops with and without marks, and what the frozen network beside it makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from terrafine.models import simulate
from terrafine.models.certainty.confidence import ConfidNet, true_probability
from terrafine.models.data import CropSampler, Scene
from terrafine.models.encoding import channels
from terrafine.models.encoding.context import context_of
from terrafine.models.metrics import VOID
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.normalise import to_network
from terrafine.models.training.loop import Task, Values
from terrafine.models.training.options import MarkOptions, TrainOptions
from terrafine.shared.geo import Window
from terrafine.shared.spec import ModelSpec

# DIAL has ten epochs at a steady 1e-4. With a warm-up and a cosine, a few hundred steps at ten times that rate do.
OPTIONS = TrainOptions(
    steps=600, batch=4, lr=1e-3, weight_decay=0.0, warmup=20, ema=0.98, marks=MarkOptions(none=0.5, most=24)
)
Floats = NDArray[np.float32]
Crop = tuple[Floats, NDArray[np.uint8]]  # image and truth, as CropSampler.draw has them


class ConfidenceTask(Task[ConfidNet, list[Crop]]):
    """How probable the true class is to a network that stays as it is."""

    def __init__(
        self,
        spec: ModelSpec,
        confidence: ConfidNet,
        beside: MarkedNetwork,
        scenes: Sequence[Scene],
        options: TrainOptions = OPTIONS,
        device: str = "cpu",
    ) -> None:
        super().__init__(spec, confidence, options, device)
        self.beside = beside.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.sampler = CropSampler(scenes, len(spec.classes), options.crop_px, options.augmentation)

    def draw(self, rng: np.random.Generator) -> list[Crop]:
        return [self.sampler.draw(rng) for _ in range(self.options.batch)]

    def loss(self, batch: list[Crop], step: int, rng: np.random.Generator) -> tuple[Tensor, Values]:
        last, target, counted = self._seen(batch, rng)
        with self.autocast():
            found = self.network(last)
        loss = F.mse_loss(found.float()[counted], target[counted])
        return loss, {"loss": float(loss.detach())}

    @torch.no_grad()
    def _seen(self, batch: list[Crop], rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """What the last layer sees, the probability of the true class (B, H, W), and where there is a truth."""
        images = np.stack([to_network(image, np.ones(truth.shape, bool), self.spec) for image, truth in batch])
        truth = np.stack([truth for _, truth in batch])
        features = self.beside.features(torch.from_numpy(images).to(self.device, memory_format=torch.channels_last))
        empty = torch.zeros(len(truth), len(self.spec.classes), *truth.shape[1:], device=self.device)
        plain = self.beside.decode(features, empty).float().cpu().numpy()
        marks = np.stack([self._marks(*crop, rng) for crop in zip(images, plain, truth)])
        last, more = self.beside.trunk(features, torch.from_numpy(marks).to(self.device))
        known = torch.from_numpy(truth).to(self.device)
        return last, true_probability((self.beside.head(last) + more) / self.spec.temperature, known), known != VOID

    def _marks(self, image: Floats, plain: Floats, truth: NDArray[np.uint8], rng: np.random.Generator) -> Floats:
        """Marks as an analyst might have set them, encoded, or none."""
        options = self.options.marks
        count = int(rng.integers(1, options.most + 1)) if rng.random() >= options.none else 0
        drawn = simulate.marks_from_truth(truth, count, rng)
        window = Window(0, 0, truth.shape[1], truth.shape[0])
        return channels.channels_of(self.spec, drawn, window, context=context_of(self.spec, image, lambda: plain))
