"""Retraining on marks: DISCA (Lenczner et al. 2022, section III-A).

The loss of a network θ over all tiles that hold marks is their equation 1, with means for both of its sums:

    mean over the marked pixels of −log p(class of the mark)  +  λ · mean over the valid pixels of ‖p − p₀‖₁

p: softmax of the logits at θ;  p₀: that of the logits before learning, with the marks as input, as the analyst sees the
map. What annotations as channels corrected is thus taught to the network as well. p of a class that others were merged
into is the sum of theirs: the mark does not say which of them it means. In every step the marks are no input of a tile
with probability `drop`, so that the network must know by itself what they say. All tiles count once in a step, batch
norm stays in evaluation mode, and the layers that read the marks stay as they are: a few marks would otherwise teach
them to listen too much. Plain gradient descent; its rate is divided by 1 + λ, or a large λ would shake the map instead
of holding it.

The rows of DIAL's ablation: DISCA is the default, AC + WTP has λ = 0; WTP is that with a network that is shown no marks
(`server/studies/deaf.py`), WTP + reg the same with λ = 1, FESTA is WTP with `relations=festa.relations`.

The scope "head" is none of this: one linear layer is solved at once, that of the scene's colours (`scene.py`) or, where
the network has none, the last one (`last_layer.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np
import torch
from torch import Tensor, nn

from terrafine.models.encoding.encode import UNMARKED
from terrafine.models.infer import Predictor
from terrafine.models.learning import last_layer, scene
from terrafine.models.learning.lesson import Example, Lesson, precision, prepare, share_right, shown_as
from terrafine.models.networks.forest import PixelForest
from terrafine.models.networks.linknet import LateLinkNet
from terrafine.models.networks.network import Features, MarkedNetwork
from terrafine.shared.errors import BadRequest, Cancelled
from terrafine.shared.learning import LearnOptions

STEPS = {"decoder": 10, "all": 10}
RATES = {"decoder": 2e-3, "all": 2e-3}
DROP = 0.5

Stopped = Callable[[], bool]
Report = Callable[[int, int], None]
Relations = Callable[[Tensor, int], Tensor]  # what the last layer sees, a seed → a loss


@dataclass(frozen=True)
class Learnt:
    """The new predictor, and the shares of the marked pixels that the network has right without marks as input."""

    predictor: Predictor
    right_before: float
    right_after: float


def learn(
    predictor: Predictor,
    examples: Sequence[Example],
    options: LearnOptions,
    *,
    becomes: Sequence[int] = (),
    drop: float = DROP,
    relations: Optional[Relations] = None,
    stopped: Stopped = lambda: False,
    report: Report = lambda done, total: None,
    seed: int = 0,
) -> Learnt:
    """Learn from the marks of `examples`; the old predictor is unchanged, bit for bit.

    Both share the memory of all tensors that do not learn, so cached features stay valid unless the scope is "all".
    `becomes` has for each class the one that it is shown as, −1 for none; empty: every class is shown as itself.
    `relations` is one more loss, on what the last layer sees; not with the scope "head". `report` is called with (steps
    done, steps). Raises Cancelled once `stopped()` says so, between two tiles, and BadRequest where nothing is marked.
    """
    useful = [example for example in examples if example.counted.any()]
    if not useful:
        raise BadRequest("There is nothing to learn from.", "Mark something first.")
    if isinstance(predictor.network, PixelForest):
        return _regrown(predictor, predictor.network, useful, seed)
    if has_scene(predictor, options):
        return _with_scene(predictor, useful, options.regularisation, becomes, seed)
    lessons = [prepare(example, predictor.network, predictor.device, becomes) for example in useful]
    network = predictor.network.sharing_copy(learning_parameters(predictor.network, options.scope))
    if options.scope == "head":
        right = last_layer.learn(network, lessons, options.regularisation, seed)
        report(1, 1)
    else:
        before = _right(network, lessons, options.scope)
        course = _Course(network, lessons, options, drop, relations)
        course.run(np.random.default_rng(seed), stopped, report)
        right = before, _right(network, lessons, options.scope)
    return Learnt(predictor.successor(network), *right)


def has_scene(predictor: Predictor, options: LearnOptions) -> bool:
    """Is it the scene layer that such learning learns?"""
    return options.scope == "head" and isinstance(predictor.network, LateLinkNet)


def _with_scene(
    predictor: Predictor, examples: Sequence[Example], regularisation: float, becomes: Sequence[int], seed: int
) -> Learnt:
    shown = shown_as(becomes or range(len(predictor.spec.classes)))
    network, *right = scene.learn(predictor, examples, shown[:, shown.any(0)], regularisation, seed)
    return Learnt(predictor.successor(network), *right)


def _regrown(predictor: Predictor, forest: PixelForest, examples: Sequence[Example], seed: int) -> Learnt:
    """A forest knows nothing but the marks: it is grown anew from them, whatever the options."""
    features = [e.features or predictor.features(e.image[None])[0] for e in examples]
    marked = [np.where(e.counted, e.marked, UNMARKED) for e in examples]
    new = forest.regrown([(f.tensors, m) for f, m in zip(features, marked)], seed)
    return Learnt(predictor.successor(new.forest), new.right_before, new.right_after)


def learning_parameters(network: MarkedNetwork, scope: str) -> list[nn.Parameter]:
    """The parameters that may change: the last layer's, or all but the encoder's, or all; never what reads marks."""
    if scope == "head":
        return list(network.head.parameters())
    fixed = network.mark_side() + (network.image_side() if scope == "decoder" else ())
    kept = {id(parameter) for module in fixed for parameter in module.parameters()}
    return [parameter for parameter in network.parameters() if id(parameter) not in kept]


class _Course:
    """Gradient descent on the lessons."""

    def __init__(
        self,
        network: MarkedNetwork,
        lessons: Sequence[Lesson],
        options: LearnOptions,
        drop: float,
        relations: Optional[Relations],
    ) -> None:
        self.network, self.lessons, self.options = network, lessons, options
        self.drop, self.relations = drop, relations
        learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
        rate = options.rate or RATES[options.scope]
        self.optimiser = torch.optim.SGD(learning, rate / (1.0 + options.regularisation))
        self.marked = sum(len(lesson.classes) for lesson in lessons)
        self.valid = sum(int(lesson.valid.sum()) for lesson in lessons)
        self._heard: dict[tuple[int, bool], Features] = {}

    def run(self, rng: np.random.Generator, stopped: Stopped, report: Report) -> None:
        steps = self.options.steps or STEPS[self.options.scope]
        for step in range(steps):
            self.optimiser.zero_grad(set_to_none=True)
            for lesson in self.lessons:
                if stopped():
                    raise Cancelled("Learning was stopped.")
                self.loss(lesson, rng).backward()
            self.optimiser.step()
            report(step + 1, steps)
        self.optimiser.zero_grad(set_to_none=True)  # gradients are as large as what learnt, and it is kept

    def loss(self, lesson: Lesson, rng: np.random.Generator) -> Tensor:
        """The lesson's share of the loss; the shares of all lessons add up to it."""
        is_seen = rng.random() >= self.drop
        with precision(lesson.image.device):
            x, beside = self.network.trunk_of(self.heard(lesson, is_seen))
            logits = (self.network.head(x) + beside).float()
        loss = mistaken(logits, lesson) / self.marked + self.options.regularisation * moved(logits, lesson) / self.valid
        if self.relations is None:
            return loss
        return loss + self.relations(x, int(rng.integers(2**31))) / len(self.lessons)

    def heard(self, lesson: Lesson, is_seen: bool) -> Features:
        """What the decoder starts from, with the marks as input or without; made once where nothing of it learns."""
        marks = lesson.channels if is_seen else lesson.unseen
        if self.options.scope == "all":
            return self.network.heard(self.network.features(lesson.image), marks)
        key = id(lesson), is_seen
        if key not in self._heard:
            with torch.no_grad():
                self._heard[key] = self.network.heard(lesson.features, marks)
        return self._heard[key]


def mistaken(logits: Tensor, lesson: Lesson) -> Tensor:
    """−log p(what the mark means), summed over the marked pixels."""
    log_p = logits[0, :, lesson.rows, lesson.cols].T.log_softmax(1)
    return -log_p.masked_fill(~lesson.meant, -torch.inf).logsumexp(1).sum()


def moved(logits: Tensor, lesson: Lesson) -> Tensor:
    """‖p − p₀‖₁, summed over the valid pixels."""
    return ((logits.softmax(1) - lesson.before).abs().sum(1)[0] * lesson.valid).sum()


@torch.no_grad()
def _right(network: MarkedNetwork, lessons: Sequence[Lesson], scope: str) -> float:
    """The share of the marked pixels that the network has right when it is not shown the marks."""
    maps = []
    for lesson in lessons:
        with precision(lesson.image.device):
            features = network.features(lesson.image) if scope == "all" else lesson.features
            maps.append(network.decode(features, lesson.unseen))
    return share_right(lessons, maps)
