"""From pixels and marks to a map: the one engine behind QGIS, `terrafine predict` and `terrafine evaluate`.

A map is made of tiles that depend on the raster and the marks near them alone, so it does not depend on the window that
was asked for, and a map refreshed around a mark is the map from scratch: tiles go through the network one by one, in
several threads at that (crew.py), their logits are rounded to float16 always, and every blend starts anew from the
logits of all its tiles.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from functools import partial
from typing import Optional, Union

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from terrafine.models.certainty.uncertainty import PER_LOGITS
from terrafine.models.cuda import download, lane
from terrafine.models.encoding import marked_pixels
from terrafine.server.engine import batches, crew, uncertainty
from terrafine.server.engine.batches import TileOf, Wanted
from terrafine.server.engine.detail import runner_of
from terrafine.server.engine.session import Session
from terrafine.server.engine.tile_runner import Mask, TileRunner
from terrafine.server.engine.work import Work
from terrafine.server.rasters import tiling
from terrafine.shared.geo import Window, intersection, slices
from terrafine.shared.messages import Done, Progress
from terrafine.shared.patch import Patch
from terrafine.shared.spec import NODATA_CLASS, PLAIN

STAGES = ("read", "encode", "features", "decode", "blend")
PARTS_A_TILE = 4  # that a tile reaches into


def predict(
    session: Session,
    window: Window,
    changed_since: Optional[int] = None,
    method: str = "",
    work: Optional[Work] = None,
    detail: str = PLAIN,
    finished: Container[Window] = frozenset(),
) -> Iterator[Union[Progress, Patch, Done]]:
    """Classify `window` (raster pixels; what is outside the raster is ignored) at the session's current marks.

    Yields finished patches as soon as their tiles are done, each batch of them followed by the progress (in patches),
    and at the end Done with the seconds that each stage took. A patch's array is uint8 (1, rows, columns) of class ids,
    NODATA_CLASS where there is no data; with the `method` of uncertainty, if it is not empty, a second band has that,
    0 … 254 for 0 … 1. With `changed_since`, only what can differ from the map of that revision in the same `detail`
    (detail.py).
    Patches whose windows are `finished` are left out: an earlier run made them.

    Raises BadRequest for a method or a detail that the model does not have, Cancelled between two tiles once `work` is
    to stop, and what the pixel source raises.
    """
    items = steps(session, window, changed_since, method, work, detail, finished)
    return (item for item in items if not isinstance(item, Wanted))


def steps(
    session: Session,
    window: Window,
    changed_since: Optional[int] = None,
    method: str = "",
    work: Optional[Work] = None,
    detail: str = PLAIN,
    finished: Container[Window] = frozenset(),
) -> Iterator[Union[Progress, Patch, Done, Wanted]]:
    """What `predict` does, and before each batch of patches the tiles that it will make for it."""
    work = work if work is not None else Work()
    classifier = Classifier(runner_of(session, work, detail))
    measure = uncertainty.Measure(classifier.runner, method) if method else None
    pieces = _pieces(classifier.runner, window, _dirty(session, changed_since))
    parts = [part for part in pieces if part not in finished]
    is_plain = detail == PLAIN and (not method or method in PER_LOGITS)  # the logits of its tiles are all that it needs
    made = _side_by_side(classifier, measure, parts) if is_plain else _one_by_one(classifier, measure, parts)
    done = 0
    yield Progress(done, len(parts))
    for batch in made:
        if isinstance(batch, Wanted):
            yield batch
            continue
        yield from batch
        done += len(batch)
        yield Progress(done, len(parts))
    yield Done(session.log.revision, {**dict.fromkeys(STAGES, 0.0), **work.seconds()})


def missing_pixels(
    session: Session, window: Window, changed_since: Optional[int] = None, detail: str = PLAIN
) -> list[Window]:
    """The blocks that `predict` with the same arguments would lack, each once, as the tiles that need them come."""
    dirty, runner = _dirty(session, changed_since), runner_of(session, Work(), detail)
    if dirty is None:
        return missing_for(runner, tiling.tiles_of(session.tiling, _inside(session, window)))
    parts = _pieces(runner, window, dirty)
    needed = dict.fromkeys(tile for part in parts for tile in tiling.tiles_of(session.tiling, part))
    return list(dict.fromkeys(block for tile in needed for block in missing_for(runner, [tile])))


def missing_for(runner: TileRunner, tiles: list[Window]) -> list[Window]:
    """The blocks, row-major, that the pixels of `tiles` lack, which together are a rectangle."""
    return runner.session.source.missing(intersection(runner.needed(tiles), runner.session.tiling.raster))


class Classifier:
    """The map of a session, or what it would be with a runner's other marks."""

    def __init__(self, runner: TileRunner) -> None:
        self.runner = runner

    def classes(self, part: Window, logits: Tensor) -> NDArray[np.uint8]:
        """Of the runner's logits: the most likely class, or the marked one: a mark is obeyed."""
        classes: NDArray[np.uint8] = download(self.runner.session.legend.classified(logits))
        for tile, home in tiling.homes(self.runner.lattice, part):
            marked = marked_pixels(self.runner.marks.of(tile), home)
            np.copyto(classes[slices(home, part)], marked, casting="unsafe", where=marked >= 0)
        return classes


def _one_by_one(
    classifier: Classifier, measure: Optional[uncertainty.Measure], parts: Sequence[Window]
) -> Iterator[Union[list[Patch], Wanted]]:
    """Each with tiles that cannot be made with those of others."""
    for part in parts:
        yield Wanted()
        yield [_patch(classifier, measure, part)]


def _side_by_side(
    classifier: Classifier, measure: Optional[uncertainty.Measure], parts: Sequence[Window]
) -> Iterator[Union[list[Patch], Wanted]]:
    """Likewise, batch by batch: first the tiles that a batch of patches lacks, then the patches."""
    runner = classifier.runner
    at_once = batches.at_once(runner.session.predictor)
    for batch, tiles in _batches(runner, parts, at_once):
        wanted = Wanted(tuple(TileOf(runner, tile) for tile in tiles), at_once)
        yield wanted
        batches.make(wanted.missing())
        yield crew.side_by_side([partial(_patch, classifier, measure, part) for part in batch])


def _batches(runner: TileRunner, parts: Sequence[Window], at_once: int) -> Iterator[tuple[list[Window], list[Window]]]:
    """The parts in turn, as many together as no more than `at_once` tiles are yet to be made for; and those tiles."""
    batch: list[Window] = []
    tiles: dict[Window, None] = {}
    for part in parts:
        missing = [tile for tile in runner.missing(tiling.tiles_of(runner.lattice, part)) if tile not in tiles]
        if batch and (len(tiles) + len(missing) > at_once or len(batch) == PARTS_A_TILE * at_once):
            yield batch, list(tiles)
            batch, tiles = [], {}
        batch.append(part)
        tiles.update(dict.fromkeys(missing))
    if batch:
        yield batch, list(tiles)


def _patch(classifier: Classifier, measure: Optional[uncertainty.Measure], part: Window) -> Patch:
    """The finished map of `part`."""
    runner = classifier.runner
    valid = runner.valid(part)
    bands = np.full((2 if measure else 1, *part.shape), NODATA_CLASS, np.uint8)
    if valid.any():
        with lane(runner.session.predictor.device):
            _fill(bands, part, valid, classifier, measure)
    return Patch(part, bands, valid, runner.session.log.revision)


def _fill(
    bands: NDArray[np.uint8], part: Window, valid: Mask, classifier: Classifier, measure: Optional[uncertainty.Measure]
) -> None:
    runner = classifier.runner
    logits = runner.logits(part)
    with runner.work.stage("blend"):
        np.copyto(bands[0], classifier.classes(part, logits), where=valid)
    if measure:
        bands[1] = uncertainty.as_bytes(measure.of(part, logits), valid)


def _pieces(runner: TileRunner, window: Window, dirty: Optional[frozenset[Window]]) -> list[Window]:
    inside = _inside(runner.session, window)
    return tiling.pieces(runner.lattice, inside, runner.panel_tiles, dirty) if not inside.is_empty else []


def _dirty(session: Session, changed_since: Optional[int]) -> Optional[frozenset[Window]]:
    """The tiles to work on; None for all."""
    return None if changed_since is None else session.changed_tiles(changed_since)


def _inside(session: Session, window: Window) -> Window:
    return intersection(window, session.tiling.raster)
