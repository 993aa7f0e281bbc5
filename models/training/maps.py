"""What a network that classifies and listens to marks learns from: crops, simulated marks, two losses a step.

Every step shows the network the same crops twice: without marks, and with marks that a simulated annotator drew, on the
errors that the network makes at that moment once `from_errors_after` of the steps are done (RITM's iterative clicks),
anywhere in the truth before. Both losses count, so it has to be good alone *and* listen. In some crops the marks call a
class by another's name (MarkOptions.relabel), so that it cannot know better than they do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from terrafine.models import metrics, simulate
from terrafine.models.data import CropSampler, Scene
from terrafine.models.encoding import channels
from terrafine.models.encoding.context import Context, context_of
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.normalise import to_network
from terrafine.models.training import losses
from terrafine.models.training.loop import Task, Values
from terrafine.models.training.options import MarkOptions, TrainOptions
from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Window
from terrafine.shared.side import NOWHERE, SideInformation
from terrafine.shared.spec import ModelSpec

FEW_NUMBERS = ("shortcut", "affinity.", "side.")  # parameters that weigh marks as a whole
Beside = tuple[Optional[Context], SideInformation]  # what channels are made from besides marks


@dataclass(frozen=True)
class Batch:
    """images float32 (B, bands, C, C) normalised; truth uint8 (B, C, C); sides: the points that are known of each."""

    images: Tensor
    truth: Tensor
    sides: tuple[SideInformation, ...]


class MapTask(Task[MarkedNetwork, Batch]):
    """Classifying crops of scenes, with marks and without."""

    def __init__(
        self,
        spec: ModelSpec,
        network: MarkedNetwork,
        scenes: Sequence[Scene],
        options: TrainOptions,
        device: str = "cpu",
    ) -> None:
        super().__init__(spec, network, options, device)
        self.sampler = CropSampler(scenes, len(spec.classes), options.crop_px, options.augmentation)
        counts = sum(np.bincount(scene.truth.ravel(), minlength=256)[: len(spec.classes)] for scene in scenes)
        self.class_weights = losses.class_weights(torch.as_tensor(counts), options.balance).to(self.device)

    def rate(self, name: str) -> float:
        """The few numbers that weigh marks have one of their own.

        Adam moves a parameter by about its rate a step, whatever the gradient: weights of 0.01 are soon elsewhere, but
        a number of 10 would stay where it was.
        """
        is_one = name.startswith(FEW_NUMBERS) and "encoder." not in name
        return self.options.affinity_lr if is_one else super().rate(name)

    def draw(self, rng: np.random.Generator) -> Batch:
        images, truth, sides = zip(*(self.sampler.draw_with_side(rng) for _ in range(self.options.batch)))
        everywhere = np.ones(truth[0].shape, bool)
        normal = np.stack([to_network(image, everywhere, self.spec) for image in images])
        return Batch(torch.from_numpy(normal), torch.from_numpy(np.stack(truth)), sides)

    def loss(self, batch: Batch, step: int, rng: np.random.Generator) -> tuple[Tensor, Values]:
        torch.manual_seed(int(rng.integers(2**63)))  # dropout's numbers come from the step, too
        images = batch.images.to(self.device, memory_format=torch.channels_last)
        truth = batch.truth.to(self.device)
        with self.autocast():
            features = self.network.features(images)
            plain = self.network.decode(features, torch.zeros(self._marks_shape(batch), device=self.device))
            counts = [_how_many(self.options.marks, rng) for _ in batch.truth]
            meant = self._relabelled(batch.truth.numpy(), counts, rng)
            contexts = [context_within(self.spec, *pair) for pair in zip(batch.images, plain.detach())]
            sides = [self._points(*crop, rng) for crop in zip(meant, counts, batch.sides)]
            late = step >= self.options.marks.from_errors_after * self.options.steps
            marks = self._simulate(features, plain, meant, list(zip(contexts, sides)), counts, late, rng)
            marked = self.network.decode(features, marks)
        marked_truth = torch.from_numpy(meant).to(self.device)
        plain_loss = losses.cross_entropy(plain, truth, self.class_weights)
        marked_loss = losses.cross_entropy(marked, marked_truth, self.class_weights)
        return plain_loss + marked_loss + self.network.penalty().to(self.device), {
            "loss_plain": float(plain_loss.detach()), "loss_marked": float(marked_loss.detach()),
            "accuracy_plain": _accuracy(plain, truth), "accuracy_marked": _accuracy(marked, marked_truth),
        }  # fmt: skip

    def _marks_shape(self, batch: Batch) -> tuple[int, ...]:
        return (len(batch.truth), len(self.spec.classes), *batch.truth.shape[1:])

    def _points(
        self, truth: NDArray[np.uint8], marks: int, known: SideInformation, rng: np.random.Generator
    ) -> SideInformation:
        """Side information for a crop, if the model is told any and the crop has marks; `known` are its own points."""
        if not (marks and self.spec.side.names):
            return NOWHERE
        options, classes = self.options.marks, len(self.spec.classes)
        count = _log_uniform(options.side_points, rng)
        if any(len(scene.side) for scene in self.sampler.scenes):
            return simulate.some_points(known, count, rng)
        return simulate.noisy_scores(truth, count, options.side_noise, classes, rng)

    def _relabelled(
        self, truth: NDArray[np.uint8], counts: Sequence[int], rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """The truth that the marks are drawn from: in some crops with marks, a class has another's name."""
        chosen = [count > 0 and rng.random() < self.options.marks.relabel for count in counts]
        classes, farthest = len(self.spec.classes), self.options.marks.relabel_px
        return np.stack([simulate.relabelled(c, classes, farthest, rng) if yes else c for c, yes in zip(truth, chosen)])

    @torch.no_grad()
    def _simulate(
        self,
        features: tuple[Tensor, ...],
        plain: Tensor,
        truth: NDArray[np.uint8],
        beside: Sequence[Beside],
        counts: Sequence[int],
        late: bool,
        rng: np.random.Generator,
    ) -> Tensor:
        """`counts` marks for the crops, some a round, if `late` on the errors that are left, and what is beside."""
        options = self.options.marks
        drawn: list[list[Annotation]] = [[] for _ in truth]
        rounds = int(rng.integers(1, options.rounds + 1))
        prediction = plain
        for index in range(rounds):
            classes = prediction.argmax(1).to(torch.uint8).cpu().numpy()
            for marks, count, seen, right in zip(drawn, counts, classes, truth):
                share = math.ceil((count - len(marks)) / (rounds - index))
                if late:
                    marks += simulate.marks_from_errors(seen, right, share, rng, options.stroke_share)
                else:
                    marks += simulate.marks_from_truth(right, share, rng, options.balanced, options.on_border)
            encoded = self._encode(drawn, beside, truth.shape[1:])
            if index < rounds - 1:
                prediction = self.network.decode(features, encoded)
        return encoded

    def _encode(
        self, drawn: Sequence[Sequence[Annotation]], beside: Sequence[Beside], shape: tuple[int, ...]
    ) -> Tensor:
        window = Window(0, 0, shape[1], shape[0])
        encoded = [
            channels.channels_of(self.spec, marks, window, context=context, side=side)
            for marks, (context, side) in zip(drawn, beside)
        ]
        return torch.from_numpy(np.stack(encoded)).to(self.device)


def _accuracy(logits: Tensor, truth: Tensor) -> float:
    counted = truth != metrics.VOID
    return float((logits.argmax(1) == truth)[counted].float().mean())


def context_within(spec: ModelSpec, image: Tensor, plain: Tensor) -> Optional[Context]:
    """Of a normalised image (bands, H, W) and its logits without marks (classes, H, W)."""
    return context_of(spec, image.numpy(), lambda: plain.float().cpu().numpy())


def _how_many(options: MarkOptions, rng: np.random.Generator) -> int:
    """0 with probability `none`, else log-uniform in 1 … most."""
    if rng.random() < options.none:
        return 0
    return _log_uniform(options.most, rng)


def _log_uniform(most: int, rng: np.random.Generator) -> int:
    return int(round(math.exp(rng.uniform(0, math.log(most)))))
