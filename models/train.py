"""Train an annotation-as-channel network: crops, simulated marks, two losses a step, checkpoints that resume exactly.

Every step shows the network the same crops twice: without marks, and with marks that a simulated annotator drew, on the
errors that the network makes at that moment once `from_errors_after` of the steps are done (RITM's iterative clicks),
anywhere in the truth before. Both losses count, so it has to be good alone *and* listen. In some crops the marks call a
class by another's name (MarkOptions.relabel), so that it cannot know better than they do.

The random numbers of a step come from (seed, step): an interrupted training goes on as if nothing had happened.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from terrafine.models import channels, checkpoint, losses, metrics, simulate
from terrafine.models.context import Context, context_of
from terrafine.models.data import Augmentation, CropSampler, Scene
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.normalise import to_network
from terrafine.models.objects.samples import ObjectOptions
from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Window
from terrafine.shared.side import NOWHERE, SideInformation
from terrafine.shared.spec import ModelSpec

FEW_NUMBERS = ("shortcut", "affinity.", "side.")  # parameters that weigh marks as a whole


Beside = tuple[Optional[Context], SideInformation]  # what channels are made from besides marks


@dataclass(frozen=True)
class MarkOptions:
    """How marks are simulated: none in a share `none` of the crops, otherwise 1 … `most`, fewer more often.

    Side information, for models that are told any, is `side_points` points at most, fewer more often, in crops with
    marks, with scores of the classes (`simulate.noisy_scores`) that are off by a normal error of `side_noise`.

    Marks drawn from the truth are equally often of each class if `balanced`, by area if not; `on_border` puts them on
    the rims of regions instead of anywhere in them.

    In a share `relabel` of the crops the marks and the truth that they are drawn from have one class where another was
    (`simulate.relabelled`): only the marks know. Without that a network that has become good on its training images
    finds nothing large to be corrected any more, and forgets to listen.
    """

    none: float = 0.15
    relabel: float = 0.35
    most: int = 24
    rounds: int = 3
    side_points: int = 64
    side_noise: float = 0.5
    stroke_share: float = 0.15
    from_errors_after: float = 0.1
    balanced: bool = True
    on_border: bool = False


@dataclass(frozen=True)
class TrainOptions:
    """How long and how hard. Rates follow a warm-up and half a cosine; `ema` is the decay of the averaged weights.

    An encoder_lr of 0 freezes the encoder: a step then takes about half the time. `objects` is for networks that find
    single ones, which have no use for `marks`, `affinity_lr` and `balance`.
    """

    steps: int = 6000
    batch: int = 8
    crop_px: int = 256
    lr: float = 1e-3
    encoder_lr: float = 3e-4
    affinity_lr: float = 2e-2
    weight_decay: float = 1e-4
    warmup: int = 200
    balance: float = 0.35
    ema: float = 0.998
    seed: int = 1
    validate_every: int = 500
    checkpoint_every: int = 100
    mixed_precision: bool = True
    marks: MarkOptions = field(default_factory=MarkOptions)
    augmentation: Augmentation = field(default_factory=Augmentation)
    objects: ObjectOptions = field(default_factory=ObjectOptions)


@dataclass(frozen=True)
class Batch:
    """images float32 (B, bands, C, C) normalised; truth uint8 (B, C, C)."""

    images: Tensor
    truth: Tensor


class Trainer:
    """One training, in `folder`. `run` yields (step, losses) after every step."""

    def __init__(
        self,
        spec: ModelSpec,
        network: MarkedNetwork,
        scenes: Sequence[Scene],
        options: TrainOptions,
        folder: Path,
        device: str = "cpu",
    ) -> None:
        self.spec, self.options, self.folder = spec, options, folder
        self.device = torch.device(device)
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(options.ema), use_buffers=True)
        self.optimiser = torch.optim.AdamW(_parameter_groups(network, options), weight_decay=options.weight_decay)
        self.sampler = CropSampler(scenes, len(spec.classes), options.crop_px, options.augmentation)
        counts = sum(np.bincount(scene.truth.ravel(), minlength=256)[: len(spec.classes)] for scene in scenes)
        self.class_weights = losses.class_weights(torch.as_tensor(counts), options.balance).to(self.device)
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

    def batch(self, step: int) -> Batch:
        """The crops of one step: a function of the seed and the step alone."""
        rng = np.random.default_rng((self.options.seed, 0, step))
        crops = [self.sampler.draw(rng) for _ in range(self.options.batch)]
        everywhere = np.ones(crops[0][1].shape, bool)
        images = np.stack([to_network(image, everywhere, self.spec) for image, _ in crops])
        return Batch(torch.from_numpy(images), torch.from_numpy(np.stack([truth for _, truth in crops])))

    def _train_step(self, batch: Batch, rng: np.random.Generator) -> dict[str, float]:
        self._set_learning_rates()
        torch.manual_seed(int(rng.integers(2**63)))  # dropout's numbers come from the step, too
        self.network.train()
        if self.options.encoder_lr == 0:
            self._freeze_encoder()
        images = batch.images.to(self.device, memory_format=torch.channels_last)
        truth = batch.truth.to(self.device)
        with self._autocast():
            features = self.network.features(images)
            plain = self.network.decode(features, torch.zeros(self._marks_shape(batch), device=self.device))
            counts = [_how_many(self.options.marks, rng) for _ in batch.truth]
            meant = self._relabelled(batch.truth.numpy(), counts, rng)
            contexts = [_context(self.spec, *pair) for pair in zip(batch.images, plain.detach())]
            sides = [self._points(right, count, rng) for right, count in zip(meant, counts)]
            marks = self._simulate(features, plain, meant, list(zip(contexts, sides)), counts, rng)
            marked = self.network.decode(features, marks)
        marked_truth = torch.from_numpy(meant).to(self.device)
        plain_loss = losses.cross_entropy(plain, truth, self.class_weights)
        marked_loss = losses.cross_entropy(marked, marked_truth, self.class_weights)
        self.optimiser.zero_grad(set_to_none=True)
        (plain_loss + marked_loss + self.network.penalty().to(self.device)).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.averaged.update_parameters(self.network)
        right = [_accuracy(plain, truth), _accuracy(marked, marked_truth)]
        return {
            "loss_plain": float(plain_loss.detach()), "loss_marked": float(marked_loss.detach()),
            "accuracy_plain": right[0], "accuracy_marked": right[1],
        }  # fmt: skip

    def _freeze_encoder(self) -> None:
        """Neither its weights nor the statistics of its norms change, and no gradient is computed for it."""
        for name, module in self.network.named_modules():
            if name.split(".")[-1] == "encoder":
                module.requires_grad_(False).eval()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.mixed_precision)

    def _marks_shape(self, batch: Batch) -> tuple[int, ...]:
        return (len(batch.truth), len(self.spec.classes), *batch.truth.shape[1:])

    def _points(self, truth: NDArray[np.uint8], marks: int, rng: np.random.Generator) -> SideInformation:
        """Side information for a crop, if the model is told any and the crop has marks."""
        if not (marks and self.spec.side.names):
            return NOWHERE
        options, classes = self.options.marks, len(self.spec.classes)
        return simulate.noisy_scores(truth, _log_uniform(options.side_points, rng), options.side_noise, classes, rng)

    def _relabelled(
        self, truth: NDArray[np.uint8], counts: Sequence[int], rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """The truth that the marks are drawn from: in some crops with marks, a class has another's name."""
        chosen = [count > 0 and rng.random() < self.options.marks.relabel for count in counts]
        classes = len(self.spec.classes)
        return np.stack([simulate.relabelled(c, classes, rng) if yes else c for c, yes in zip(truth, chosen)])

    @torch.no_grad()
    def _simulate(
        self,
        features: tuple[Tensor, ...],
        plain: Tensor,
        truth: NDArray[np.uint8],
        beside: Sequence[Beside],
        counts: Sequence[int],
        rng: np.random.Generator,
    ) -> Tensor:
        """`counts` marks for the crops, some a round, each round on the errors that are left, and what is beside."""
        options = self.options.marks
        drawn: list[list[Annotation]] = [[] for _ in truth]
        rounds = int(rng.integers(1, options.rounds + 1))
        late = self.step >= options.from_errors_after * self.options.steps
        prediction = plain
        for index in range(rounds):
            classes = prediction.argmax(1).to(torch.uint8).cpu().numpy()
            for marks, count, seen, right in zip(drawn, counts, classes, truth):
                share = math.ceil((count - len(marks)) / (rounds - index))
                if late:
                    marks += simulate.marks_from_errors(seen, right, share, rng, options.stroke_share)
                else:
                    marks += simulate.marks_from_truth(right, share, rng, options.balanced, options.on_border)
            told = self._encode(drawn, beside, truth.shape[1:])
            if index < rounds - 1:
                prediction = self.network.decode(features, told)
        return told

    def _encode(
        self, drawn: Sequence[Sequence[Annotation]], beside: Sequence[Beside], shape: tuple[int, ...]
    ) -> Tensor:
        window = Window(0, 0, shape[1], shape[0])
        told = [
            channels.channels_of(self.spec, marks, window, context=context, side=side)
            for marks, (context, side) in zip(drawn, beside)
        ]
        return torch.from_numpy(np.stack(told)).to(self.device)

    def _set_learning_rates(self) -> None:
        factor = schedule(self.step, self.options.warmup, self.options.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def resume(self) -> bool:
        """Go on from the checkpoint in the folder; False if there is none."""
        step = checkpoint.restore(self.folder, self.network, self.averaged, self.optimiser)
        self.step = step or 0
        return step is not None

    @property
    def result(self) -> MarkedNetwork:
        """The averaged weights: what validation measures and what is saved."""
        return cast(MarkedNetwork, self.averaged.module)


def _accuracy(logits: Tensor, truth: Tensor) -> float:
    counted = truth != metrics.VOID
    return float((logits.argmax(1) == truth)[counted].float().mean())


def schedule(step: int, warmup: int, steps: int) -> float:
    """Linear warm-up to 1, then half a cosine to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


@torch.inference_mode()
def validate(
    spec: ModelSpec, network: MarkedNetwork, scenes: Sequence[Scene], clicks: int, counted: int,
    device: str = "cpu",
) -> dict[int, float]:  # fmt: skip
    """mIoU (pooled, classes under `counted`) of `scenes`, each one tile, after 0, 1, 2, 4 … `clicks` RITM clicks."""
    network.eval()
    stops = sorted({0, clicks, *(2**i for i in range(clicks.bit_length()))})
    pooled = {stop: np.zeros((len(spec.classes),) * 2, np.int64) for stop in stops}
    rng = np.random.default_rng(0)
    for scene in scenes:
        window = Window(0, 0, *scene.truth.shape[::-1])
        image = to_network(scene.image.astype(np.float32) / 255.0, np.ones(window.shape, bool), spec)
        features = network.features(torch.from_numpy(image)[None].to(device, memory_format=torch.channels_last))
        empty = torch.zeros(1, len(spec.classes), *window.shape, device=device)
        context = _context(spec, torch.from_numpy(image), network.decode(features, empty)[0])
        marks: list[Annotation] = []
        for count in range(clicks + 1):
            told = channels.channels_of(spec, marks, window, context=context)
            logits = network.decode(features, torch.from_numpy(told)[None].to(device))
            prediction = logits[0].argmax(0).to(torch.uint8).cpu().numpy()
            if count in pooled:
                pooled[count] += metrics.confusion(scene.truth, prediction, len(spec.classes))
            click = simulate.next_click(prediction, scene.truth, rng)
            if click is not None:
                marks.append(click)
    return {stop: metrics.mean_iou(matrix, counted) for stop, matrix in pooled.items()}


def _context(spec: ModelSpec, image: Tensor, plain: Tensor) -> Optional[Context]:
    """Of a normalised image (bands, H, W) and its logits without marks (classes, H, W)."""
    return context_of(spec, image.numpy(), lambda: plain.float().cpu().numpy())


def _how_many(options: MarkOptions, rng: np.random.Generator) -> int:
    """0 with probability `none`, else log-uniform in 1 … most."""
    if rng.random() < options.none:
        return 0
    return _log_uniform(options.most, rng)


def _log_uniform(most: int, rng: np.random.Generator) -> int:
    return int(round(math.exp(rng.uniform(0, math.log(most)))))


def _parameter_groups(network: MarkedNetwork, options: TrainOptions) -> list[dict[str, object]]:
    """The encoder's parameters, the few numbers that weigh marks, and all others: they learn at different rates.

    Adam moves a parameter by about its rate a step, whatever the gradient: weights of 0.01 are soon elsewhere, but a
    number of 10 would stay where it was.
    """
    groups: dict[float, list[nn.Parameter]] = {options.encoder_lr: [], options.affinity_lr: [], options.lr: []}
    for name, parameter in network.named_parameters():
        if "encoder." in name:
            groups[options.encoder_lr].append(parameter)
        elif name.startswith(FEW_NUMBERS):
            groups[options.affinity_lr].append(parameter)
        else:
            groups[options.lr].append(parameter)
    return [{"params": parameters, "lr": rate, "initial_lr": rate} for rate, parameters in groups.items()]
