"""What a network that finds single objects learns from: simulated clicks, more of them where it is wrong.

A step shows each object twice: with the first clicks, and with some more, each in the middle of the largest mistake at
that moment (IOG, section 3.3). The loss is the first's alone for an object that was found well enough, otherwise the
mean of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from terrafine.models.networks.network import Features
from terrafine.models.networks.object_network import ObjectNetwork
from terrafine.models.objects import clicks
from terrafine.models.objects.samples import ObjectSampler, SceneObject
from terrafine.models.objects.view import View
from terrafine.models.training import losses
from terrafine.models.training.loop import Task, Values
from terrafine.models.training.options import TrainOptions
from terrafine.shared.spec import ModelSpec


@dataclass(frozen=True)
class ObjectBatch:
    """images float32 (B, bands, T, T); guidance float32 (B, 2, T, T), the first clicks; truth uint8 (B, T, T)."""

    images: Tensor
    guidance: Tensor
    truth: Tensor


class ObjectTask(Task[ObjectNetwork, ObjectBatch]):
    """Finding objects of scenes from a box and clicks."""

    def __init__(
        self,
        spec: ModelSpec,
        network: ObjectNetwork,
        objects: Sequence[SceneObject],
        options: TrainOptions,
        device: str = "cpu",
    ) -> None:
        super().__init__(spec, network, options, device)
        self.view = View.of(spec, options.crop_px)
        self.sampler = ObjectSampler(objects, spec, self.view, options.objects, options.augmentation)

    def draw(self, rng: np.random.Generator) -> ObjectBatch:
        drawn = [self.sampler.draw(rng) for _ in range(self.options.batch)]
        parts = ([sample.image for sample in drawn], [s.guidance for s in drawn], [s.truth for s in drawn])
        return ObjectBatch(*(torch.from_numpy(np.stack(part)) for part in parts))

    def loss(self, batch: ObjectBatch, step: int, rng: np.random.Generator) -> tuple[Tensor, Values]:
        images = batch.images.to(self.device, memory_format=torch.channels_last)
        truth, guidance = batch.truth.to(self.device), batch.guidance.to(self.device)
        with self.autocast():
            features = self.network.features(images, guidance)
            first = self.network.decode(features, guidance)
            count = int(rng.integers(self.options.objects.added)) + 1
            more, wanting = self._with_clicks(features, guidance, first[-1], batch, count)
            second = self.network.decode(features, more)
        first_loss, second_loss = losses.object_loss(first, truth), losses.object_loss(second, truth)
        return torch.where(wanting, (first_loss + second_loss) / 2, first_loss).mean(), {
            "loss_first": float(first_loss.detach().mean()), "loss_more": float(second_loss.detach().mean()),
            "iou_first": _mean_iou(first[-1], truth), "iou_more": _mean_iou(second[-1], truth),
        }  # fmt: skip

    @torch.no_grad()
    def _with_clicks(
        self, features: Features, guidance: Tensor, logits: Tensor, batch: ObjectBatch, count: int
    ) -> tuple[Tensor, Tensor]:
        """The guidance with `count` clicks more on each object that is not good enough yet, and which those were."""
        maps, truth = guidance.cpu().numpy().copy(), batch.truth.numpy()
        wanting = np.zeros(len(truth), bool)
        for index in range(count):
            found = (logits > 0).cpu().numpy()
            bad = np.array([clicks.iou(*pair) < self.options.objects.good_iou for pair in zip(found, truth)])
            wanting = bad if index == 0 else wanting
            for place in np.flatnonzero(bad):
                self._add_click(maps[place], clicks.next_click(found[place], truth[place]))
            if index < count - 1:
                logits = self.network.decode(features, torch.from_numpy(maps).to(self.device))[-1]
        return torch.from_numpy(maps).to(self.device), torch.from_numpy(wanting).to(self.device)

    def _add_click(self, maps: np.ndarray, click: tuple[bool, tuple[float, float]] | None) -> None:
        if click is not None:
            is_inside, point = click
            channel = maps[0 if is_inside else 1]
            np.maximum(channel, self.view.heat((point,)), out=channel)


def _mean_iou(logits: Tensor, truth: Tensor) -> float:
    found = (logits > 0).cpu().numpy()
    return float(np.mean([clicks.iou(*pair) for pair in zip(found, truth.cpu().numpy())]))
