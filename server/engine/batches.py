"""Tiles through the network together, be they of one session or of several.

On a processor that is a tile a thread (crew.py). Elsewhere, tiles of one network go through it as one batch
(models/infer.py). Either way a tile has the same bits whatever is made beside it, and all that is found is kept in
its session's caches; so whoever needs a tile just asks for it, and finds it made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Optional

import numpy as np

from terrafine.models.infer import Predictor, TileFeatures
from terrafine.server.engine import crew
from terrafine.server.engine.tile_runner import EMPTY, Floats, TileRunner
from terrafine.shared.geo import Window


class TileOf(NamedTuple):
    runner: TileRunner
    tile: Window


@dataclass(frozen=True)
class Wanted:
    """The tiles whose logits a request needs before it goes on, and how many are worth making at once.

    It makes what is missing of them itself. But before that it says so, and whoever gives it turns may have them made
    with those of others.
    """

    tiles: tuple[TileOf, ...] = ()
    at_once: int = 0

    def missing(self) -> list[TileOf]:
        """Those that are yet to be made."""
        return [one for one in self.tiles if one.runner.missing([one.tile])]


def at_once(predictor: Predictor) -> int:
    """How many tiles are worth making together."""
    return crew.width() * predictor.batch


def make(tiles: Sequence[TileOf]) -> None:
    """Compute the logits of tiles that have none yet. Raises what the first fails of, once all have ended."""
    crew.side_by_side([partial(_make, group) for group in _groups(tiles)], all(one.runner.may_spread for one in tiles))


def _groups(tiles: Sequence[TileOf]) -> list[list[TileOf]]:
    """By network, as many together as go through it at once."""
    by_network: dict[int, list[TileOf]] = {}
    for one in tiles:
        by_network.setdefault(id(one.runner.session.predictor), []).append(one)
    groups = []
    for same in by_network.values():
        batch = same[0].runner.session.predictor.batch
        groups += [same[start : start + batch] for start in range(0, len(same), batch)]
    return groups


def _make(group: Sequence[TileOf]) -> None:
    """Tiles of one network. Raises Cancelled where one of their requests is to stop."""
    for one in group:
        one.runner.work.check()
    if len(group) == 1:
        group[0].runner.tile_logits(group[0].tile)
        return
    features = dict(zip(group, _features(group)))
    for one in group:
        if features[one] is None:
            one.runner.keep_logits(one.tile, EMPTY)
    _decode({one: found for one, found in features.items() if found is not None})


def _features(group: Sequence[TileOf]) -> list[Optional[TileFeatures]]:
    """Of each, None where there is no data; from the caches, or computed and kept."""
    kept = [one.runner.kept_features(one.tile) for one in group]
    computed = iter(_looked_at([one for one, features in zip(group, kept) if features is None]))
    return [features if features is not None else next(computed) for features in kept]


def _looked_at(tiles: Sequence[TileOf]) -> list[Optional[TileFeatures]]:
    images = crew.side_by_side([partial(one.runner.image, one.tile) for one in tiles])
    there = [(one, image) for one, (image, valid) in zip(tiles, images) if valid.any()]
    if not there:
        return [None] * len(tiles)
    runner = there[0][0].runner
    with runner.work.stage("features"):
        found = runner.session.predictor.features(np.stack([image for _, image in there]))
    by_tile = {one: features for (one, _), features in zip(there, found)}
    for one, features in by_tile.items():
        one.runner.keep_features(one.tile, features)
    return [by_tile.get(one) for one in tiles]


def _decode(tiles: Mapping[TileOf, TileFeatures]) -> None:
    told = dict(zip(tiles, crew.side_by_side([partial(one.runner.channels, one.tile) for one in tiles])))
    for is_marked in (False, True):  # a network that is told nothing may take a shorter way, to other bits
        same = [one for one, channels in told.items() if channels.any() == is_marked]
        if same:
            _decode_alike(same, [tiles[one] for one in same], np.stack([told[one] for one in same]))


def _decode_alike(tiles: Sequence[TileOf], features: Sequence[TileFeatures], channels: Floats) -> None:
    runner = tiles[0].runner
    with runner.work.stage("decode"):
        found = runner.session.predictor.halves(features, channels)
    for one, logits in zip(tiles, found):
        one.runner.keep_logits(one.tile, logits)
