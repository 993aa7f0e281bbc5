"""The training loop: batches drawn ahead, averaged weights, checkpoints from which a training goes on exactly.

What a batch is and what is lost on it is the task's business. The random numbers of a step come from (seed, step): an
interrupted training goes on as if nothing had happened.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from terrafine.models.training import checkpoint
from terrafine.models.training.options import TrainOptions
from terrafine.shared.spec import ModelSpec

LARGEST_GRADIENT = 5.0  # its norm; a longer one is cut
Network = TypeVar("Network", bound=nn.Module)
Batch = TypeVar("Batch")
Values = dict[str, float]


class Task(ABC, Generic[Network, Batch]):
    """A network, and what it is to learn."""

    def __init__(self, spec: ModelSpec, network: Network, options: TrainOptions, device: str = "cpu") -> None:
        self.spec, self.options, self.device = spec, options, torch.device(device)
        self.network: Network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Batch:
        """What one step is shown; drawn in a thread of its own."""

    @abstractmethod
    def loss(self, batch: Batch, step: int, rng: np.random.Generator) -> tuple[Tensor, Values]:
        """What is to become less, a scalar, and what the log says of the step."""

    def rate(self, name: str) -> float:
        """The learning rate of the parameter of that name."""
        return self.options.encoder_lr if "encoder." in name else self.options.lr

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.mixed_precision)


class Trainer(Generic[Network, Batch]):
    """One training, in `folder`. `run` yields (step, values) after every step."""

    def __init__(self, task: Task[Network, Batch], folder: Path) -> None:
        self.task, self.options, self.folder = task, task.options, folder
        average = get_ema_multi_avg_fn(self.options.ema)
        self.averaged = AveragedModel(task.network, multi_avg_fn=average, use_buffers=True)
        self.optimiser = torch.optim.AdamW(_groups(task), weight_decay=self.options.weight_decay)
        self.step = 0

    def run(self) -> Iterator[tuple[int, Values]]:
        """Train from the current step to the last; checkpoints are written on the way and at the end."""
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(self.batch, self.step)
            while self.step < self.options.steps:
                batch = coming.result()
                coming = pool.submit(self.batch, self.step + 1)
                values = self.learn(batch, np.random.default_rng((self.options.seed, 1, self.step)))
                self.step += 1
                if self.step % self.options.checkpoint_every == 0 or self.step == self.options.steps:
                    checkpoint.save(self.folder, self.step, self.task.network, self.averaged, self.optimiser)
                yield self.step, values

    def batch(self, step: int) -> Batch:
        """What a step is shown: a function of the seed and the step alone."""
        return self.task.draw(np.random.default_rng((self.options.seed, 0, step)))

    def learn(self, batch: Batch, rng: np.random.Generator) -> Values:
        """One step of gradient descent."""
        network = self.task.network
        self._set_learning_rates()
        network.train()
        if self.options.encoder_lr == 0:
            _freeze_encoder(network)
        loss, values = self.task.loss(batch, self.step, rng)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
        self.optimiser.step()
        self.averaged.update_parameters(network)
        return values

    def _set_learning_rates(self) -> None:
        factor = schedule(self.step, self.options.warmup, self.options.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def resume(self) -> bool:
        """Go on from the checkpoint in the folder; False if there is none."""
        step = checkpoint.restore(self.folder, self.task.network, self.averaged, self.optimiser)
        self.step = step or 0
        return step is not None

    @property
    def result(self) -> Network:
        """The averaged weights: what validation measures and what is saved."""
        return cast(Network, self.averaged.module)


def schedule(step: int, warmup: int, steps: int) -> float:
    """Linear warm-up to 1, then half a cosine to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _groups(task: Task[Network, Batch]) -> list[dict[str, object]]:
    """The parameters by their rates, the encoder's first: a checkpoint holds the optimiser's state in this order."""
    options = task.options
    groups: dict[float, list[nn.Parameter]] = {options.encoder_lr: [], options.affinity_lr: [], options.lr: []}
    for name, parameter in task.network.named_parameters():
        groups[task.rate(name)].append(parameter)
    return [{"params": parameters, "lr": rate, "initial_lr": rate} for rate, parameters in groups.items()]


def _freeze_encoder(network: nn.Module) -> None:
    """Neither its weights nor the statistics of its norms change, and no gradient is computed for it."""
    for name, module in network.named_modules():
        if name.split(".")[-1] == "encoder":
            module.requires_grad_(False).eval()
