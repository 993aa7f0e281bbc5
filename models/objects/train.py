"""Train a network that finds single objects: simulated clicks, more of them where it is wrong, checkpoints that resume.

A step shows each object twice: with the first clicks, and with some more, each in the middle of the largest mistake at
that moment (IOG, section 3.3). The loss is the first's alone for an object that was found well enough, otherwise the
mean of both.

The random numbers of a step come from (seed, step), as in models/train.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from terrafine.models import checkpoint, losses
from terrafine.models.networks.network import Features
from terrafine.models.networks.object_network import ObjectNetwork
from terrafine.models.objects import clicks
from terrafine.models.objects.samples import ObjectSampler, SceneObject
from terrafine.models.objects.view import View
from terrafine.models.train import TrainOptions, schedule
from terrafine.shared.spec import ModelSpec


@dataclass(frozen=True)
class ObjectBatch:
    """images float32 (B, bands, T, T); guidance float32 (B, 2, T, T), the first clicks; truth uint8 (B, T, T)."""

    images: Tensor
    guidance: Tensor
    truth: Tensor


class ObjectTrainer:
    """One training, in `folder`. `run` yields (step, losses) after every step."""

    def __init__(
        self,
        spec: ModelSpec,
        network: ObjectNetwork,
        objects: Sequence[SceneObject],
        options: TrainOptions,
        folder: Path,
        device: str = "cpu",
    ) -> None:
        self.spec, self.options, self.folder = spec, options, folder
        self.device = torch.device(device)
        self.view = View.of(spec, options.crop_px)
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(options.ema), use_buffers=True)
        self.optimiser = torch.optim.AdamW(_parameter_groups(network, options), weight_decay=options.weight_decay)
        self.sampler = ObjectSampler(objects, spec, self.view, options.objects, options.augmentation)
        self.step = 0

    def run(self) -> Iterator[tuple[int, dict[str, float]]]:
        """Train from the current step to the last; checkpoints are written on the way and at the end."""
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(self.batch, self.step)
            while self.step < self.options.steps:
                batch = coming.result()
                coming = pool.submit(self.batch, self.step + 1)
                values = self._train_step(batch, np.random.default_rng((self.options.seed, 1, self.step)))
                self.step += 1
                if self.step % self.options.checkpoint_every == 0 or self.step == self.options.steps:
                    checkpoint.save(self.folder, self.step, self.network, self.averaged, self.optimiser)
                yield self.step, values

    def resume(self) -> bool:
        """Go on from the checkpoint in the folder; False if there is none."""
        step = checkpoint.restore(self.folder, self.network, self.averaged, self.optimiser)
        self.step = step or 0
        return step is not None

    @property
    def result(self) -> ObjectNetwork:
        """The averaged weights: what validation measures and what is saved."""
        return cast(ObjectNetwork, self.averaged.module)

    def batch(self, step: int) -> ObjectBatch:
        """The objects of one step: a function of the seed and the step alone."""
        rng = np.random.default_rng((self.options.seed, 0, step))
        drawn = [self.sampler.draw(rng) for _ in range(self.options.batch)]
        parts = ([sample.image for sample in drawn], [s.guidance for s in drawn], [s.truth for s in drawn])
        return ObjectBatch(*(torch.from_numpy(np.stack(part)) for part in parts))

    def _train_step(self, batch: ObjectBatch, rng: np.random.Generator) -> dict[str, float]:
        factor = schedule(self.step, self.options.warmup, self.options.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = group["initial_lr"] * factor
        self.network.train()
        images = batch.images.to(self.device, memory_format=torch.channels_last)
        truth, guidance = batch.truth.to(self.device), batch.guidance.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.mixed_precision):
            features = self.network.features(images, guidance)
            first = self.network.decode(features, guidance)
            count = int(rng.integers(self.options.objects.added)) + 1
            more, wanting = self._with_clicks(features, guidance, first[-1], batch, count)
            second = self.network.decode(features, more)
        first_loss, second_loss = losses.object_loss(first, truth), losses.object_loss(second, truth)
        loss = torch.where(wanting, (first_loss + second_loss) / 2, first_loss).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.averaged.update_parameters(self.network)
        return {
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


def _parameter_groups(network: nn.Module, options: TrainOptions) -> list[dict[str, object]]:
    """The encoder's parameters and all others: they learn at different rates."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault(options.encoder_lr if "encoder." in name else options.lr, []).append(parameter)
    return [{"params": parameters, "lr": rate, "initial_lr": rate} for rate, parameters in groups.items()]
