"""A random forest on pixel features: a start without any trained model (ALCD, Baetens et al. 2019, on any bands).

As a MarkedNetwork its features are the pixels' (`pixel_features.py`), kept in half precision; decoding is a walk
through the trees. Marks are no input: they are what the forest is grown from whenever it learns. Before that all
classes are equally likely.

Trees are plain arrays: nothing in a saved forest is executable. scikit-learn grows them and is not needed afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from terrafine.models.networks.network import Features, MarkedNetwork
from terrafine.models.networks.pixel_features import pixel_features

TREES, DEPTH = 32, 12
MOST_PIXELS = 2000  # of a class that a forest is grown from
FLOOR = 1e-3  # of a probability: its logarithm is taken
CHUNK = 1 << 14  # pixels that walk together: what they need stays in the processor's cache
Trees = dict[str, Tensor]
Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


class PixelForest(MarkedNetwork):
    """Nodes of all trees in one row of each array; the right child stands behind the left one.

    feature    int64 (nodes,): which one is compared
    threshold  float32 (nodes,): a larger value goes right; +∞ at a leaf
    left       int64 (nodes,): the left child; a leaf's is itself
    share      float32 (nodes, classes): of the classes at a leaf
    roots      int64 (trees,)
    depth      int64 (): steps from a root to the deepest leaf
    """

    measures = ()
    feature: Tensor
    threshold: Tensor
    left: Tensor
    share: Tensor
    roots: Tensor
    depth: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.set_trees(no_trees(classes))

    @property
    def classes(self) -> int:
        return self.share.shape[1]

    def set_trees(self, trees: Trees) -> None:
        for name in no_trees(1):
            self.register_buffer(name, trees[name])

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Trees of any size; raises RuntimeError where they are no trees of as many classes, as torch does."""
        if not _fits(state_dict, no_trees(self.classes)) or not _is_whole(state_dict):
            raise RuntimeError("these are no trees, or they have other classes")
        self.set_trees({name: tensor.clone() for name, tensor in state_dict.items()})

    def features(self, image: Tensor) -> Features:
        return (pixel_features(image).half(),)

    def decode(self, features: Features, marks: Tensor) -> Tensor:
        if len(self.roots) == 0:
            return features[0].new_zeros(len(marks), self.classes, *marks.shape[2:], dtype=torch.float32)
        pixels = features[0].float().cpu().numpy()
        maps = [self.probabilities(tile.reshape(len(tile), -1)).reshape(-1, *tile.shape[1:]) for tile in pixels]
        return torch.from_numpy(np.stack(maps)).clamp_min(FLOOR).log().to(marks.device)

    def image_side(self) -> tuple[nn.Module, ...]:
        return ()

    def probabilities(self, pixels: Floats) -> Floats:
        """Pixels (features, N) → the mean of the trees' shares, float32 (classes, N)."""
        arrays = {name: tensor.cpu().numpy() for name, tensor in self.named_buffers()}
        parts = [pixels[:, start : start + CHUNK] for start in range(0, pixels.shape[1], CHUNK)]
        return np.concatenate([_walk(np.ascontiguousarray(part), **arrays) for part in parts], axis=1)

    def fitted(self, pixels: Floats, classes: NDArray[np.integer], seed: int = 0) -> PixelForest:
        """A new forest, grown from pixels (N, features) and their classes (N,)."""
        grown = PixelForest(self.classes)
        trees = grow_trees(pixels, classes, self.classes, seed)
        grown.set_trees({name: tensor.to(self.share.device) for name, tensor in trees.items()})
        return grown

    def regrown(self, tiles: Iterable[tuple[Features, NDArray[np.integer]]], seed: int = 0) -> Regrown:
        """Grown from all marks: features of tiles (batches of 1) and the class of each pixel (H, W), −1 for none."""
        samples = [(features[0][0].float().cpu().numpy()[:, marked >= 0], marked) for features, marked in tiles]
        pixels = np.concatenate([values for values, _ in samples], axis=1)
        classes = np.concatenate([marked[marked >= 0] for _, marked in samples])
        grown = self.fitted(np.ascontiguousarray(pixels.T), classes, seed)
        return Regrown(grown, *(forest._right(pixels, classes) for forest in (self, grown)))

    def _right(self, pixels: Floats, classes: NDArray[np.integer]) -> float:
        return float((self.probabilities(pixels).argmax(0) == classes).mean()) if len(self.roots) else 0.0

    def with_classes(self, sources: Sequence[Optional[int]]) -> PixelForest:
        """The forest for another legend: each class continues an old one or, from None, is nowhere yet."""
        grown = PixelForest(len(sources))
        columns = [self.share[:, s] if s is not None else torch.zeros_like(self.share[:, 0]) for s in sources]
        grown.set_trees({**dict(self.named_buffers()), "share": torch.stack(columns, 1)})
        return grown


@dataclass(frozen=True)
class Regrown:
    """A new forest, and the shares of the marked pixels that the old and the new one have right."""

    forest: PixelForest
    right_before: float
    right_after: float


def _walk(
    pixels: Floats, feature: Indices, threshold: Floats, left: Indices, share: Floats, roots: Indices, depth: Indices
) -> Floats:
    """Send all pixels through one tree after the other. NumPy gathers ten times as fast as torch does."""
    count = pixels.shape[1]
    values, column = pixels.ravel(), np.arange(count)
    total = np.zeros((count, share.shape[1]), np.float32)
    for root in roots:
        node = np.full(count, root)
        for _ in range(int(depth)):
            value = values.take(feature.take(node, mode="clip") * count + column, mode="clip")
            node = left.take(node, mode="clip") + (value > threshold.take(node, mode="clip"))
        total += share.take(node, axis=0, mode="clip")
    return total.T / np.float32(len(roots))


def grow_trees(pixels: Floats, classes: NDArray[np.integer], count: int, seed: int) -> Trees:
    """The trees of a forest for `count` classes, from pixels (N, features) and their classes (N,), all as important."""
    from sklearn.ensemble import RandomForestClassifier  # takes a second, and only growing needs it

    chosen = _thinned_out(classes, np.random.default_rng(seed))
    forest = RandomForestClassifier(TREES, max_depth=DEPTH, class_weight="balanced", random_state=seed)
    forest.fit(pixels[chosen], classes[chosen])
    present = forest.classes_.astype(int)
    return _joined([_as_arrays(tree.tree_, present, count) for tree in forest.estimators_])


def _thinned_out(classes: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.intp]:
    """Indices of at most MOST_PIXELS pixels of each class: a polygon must not slow learning down."""
    by_class = [np.flatnonzero(classes == class_id) for class_id in np.unique(classes)]
    return np.sort(np.concatenate([rng.permutation(places)[:MOST_PIXELS] for places in by_class]))


def _as_arrays(tree: Any, present: NDArray[np.int_], classes: int) -> dict[str, NDArray[Any]]:
    """A tree of scikit-learn's with its nodes in the order of PixelForest: breadth first, two children side by side."""
    order = [0]
    for node in order:
        if tree.children_left[node] != -1:
            order += [tree.children_left[node], tree.children_right[node]]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    leaf = tree.children_left[order] == -1
    share = np.zeros((len(order), classes), np.float32)
    share[:, present] = tree.value[order, 0] / tree.value[order, 0].sum(1, keepdims=True)
    return {
        "feature": np.where(leaf, 0, tree.feature[order]),
        "threshold": np.where(leaf, np.inf, _not_above(tree.threshold[order])).astype(np.float32),
        "left": np.where(leaf, np.arange(len(order)), place[tree.children_left[order]]),
        "share": share,
        "depth": np.array(tree.max_depth),
    }


def _not_above(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above: a float32 is above the one where it is above the other."""
    nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)


def _joined(trees: Sequence[dict[str, NDArray[Any]]]) -> Trees:
    sizes = [len(tree["left"]) for tree in trees]
    roots = np.cumsum([0, *sizes[:-1]])
    joined = {name: np.concatenate([tree[name] for tree in trees]) for name in ("feature", "threshold", "share")}
    joined["left"] = np.concatenate([tree["left"] + root for tree, root in zip(trees, roots)])
    joined |= {"roots": roots, "depth": np.array(max(int(tree["depth"]) for tree in trees))}
    return {name: torch.from_numpy(array) for name, array in joined.items()}


def no_trees(classes: int) -> Trees:
    nothing = torch.zeros(0, dtype=torch.int64)
    empty = {"feature": nothing, "threshold": torch.zeros(0), "left": nothing, "share": torch.zeros(0, classes)}
    return {**empty, "roots": nothing.clone(), "depth": torch.zeros((), dtype=torch.int64)}


def _fits(trees: Mapping[str, Tensor], like: Trees) -> bool:
    """Do the trees have the names, types and shapes of others, but for the first axis?"""
    if trees.keys() != like.keys():
        return False
    kinds = [[(t.dtype, t.dim(), t.shape[1:]) for t in (trees[name], like[name])] for name in like]
    return all(found == wanted for found, wanted in kinds)


def _is_whole(trees: Mapping[str, Tensor]) -> bool:
    """Does every index lead to a node, and every walk end? What a file says is not to be believed."""
    nodes, left = len(trees["left"]), trees["left"]
    equal = all(len(trees[name]) == nodes for name in ("feature", "threshold", "share"))
    if not equal or not 0 <= int(trees["depth"]) <= nodes:
        return False
    indices = torch.cat([left, left + torch.isfinite(trees["threshold"]), trees["roots"]])
    return bool(((indices >= 0) & (indices < nodes)).all()) and bool((trees["feature"] >= 0).all())
