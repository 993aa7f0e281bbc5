"""From pixels and marks to a map: the one engine behind QGIS, `terrafine predict` and `terrafine evaluate`.

A map is made of tiles that depend on the raster and the marks near them alone, so it does not depend on the window that
was asked for, and a map refreshed around a mark is the map from scratch: tiles go through the network one by one, in
several threads at that (crew.py), their logits are rounded to float16 always, and every blend starts anew from the
logits of all its tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Generator, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, takewhile
from typing import Optional, Union

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from terrafine.models.certainty.uncertainty import PER_LOGITS
from terrafine.models.cuda import download, lane
from terrafine.models.encoding.encode import obey
from terrafine.server.engine import batches, crew, uncertainty
from terrafine.server.engine.batches import TileOf, Wanted
from terrafine.server.engine.detail import runner_of
from terrafine.server.engine.session import Session
from terrafine.server.engine.tile_runner import Mask, TileRunner
from terrafine.server.engine.work import Work
from terrafine.server.rasters import tiling
from terrafine.shared.geo import Window, bounding, intersection, slices
from terrafine.shared.messages import Done, MissingPixels, Progress
from terrafine.shared.patch import Patch
from terrafine.shared.spec import NODATA_CLASS, PLAIN

STAGES = ("read", "encode", "features", "decode", "blend")
PARTS_A_TILE = 4  # that a tile reaches into
LACKED = 256  # blocks, at most, that a map which has been begun names: as many tiles' time passes until it names more
Step = Union[Progress, Patch, Wanted]
Make = Callable[[Iterable[Window]], Iterator[Union[list[Patch], Wanted]]]


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
    return (item for item in items if isinstance(item, (Progress, Patch, Done)))


def steps(
    session: Session,
    window: Window,
    changed_since: Optional[int] = None,
    method: str = "",
    work: Optional[Work] = None,
    detail: str = PLAIN,
    finished: Container[Window] = frozenset(),
    after: Optional[int] = None,
) -> Iterator[Union[Step, Done, MissingPixels]]:
    """What `predict` does, and before each batch of patches the tiles that it will make for it.

    after  so many of the first patches are left out: an earlier request made them. The others come as far as their
           pixels are there by then, and at the end, instead of Done, the blocks that the next ones lack. By default,
           all pixels must be there.
    """
    work = work if work is not None else Work()
    classifier = Classifier(runner_of(session, work, detail))
    measure = uncertainty.Measure(classifier.runner, method) if method else None
    pieces = _pieces(classifier.runner, window, _dirty(session, changed_since))
    parts = [part for part in pieces if part not in finished]
    is_plain = detail == PLAIN and (not method or method in PER_LOGITS)  # the logits of its tiles are all that it needs
    make = partial(_side_by_side if is_plain else _one_by_one, classifier, measure)
    is_ready = partial(_has_pixels, classifier.runner) if after is not None else None
    done = yield from _in_order(make, parts, after or 0, is_ready)
    lacked = tuple(islice(_lacked(classifier.runner, parts[done:]), LACKED))
    seconds = {**dict.fromkeys(STAGES, 0.0), **work.seconds()}
    yield MissingPixels(lacked, seconds) if lacked else Done(session.log.revision, seconds)


def missing_pixels(
    session: Session, window: Window, changed_since: Optional[int] = None, detail: str = PLAIN
) -> list[Window]:
    """The blocks that `predict` with the same arguments would lack, each once, as the tiles that need them come."""
    dirty, runner, area = _dirty(session, changed_since), runner_of(session, Work(), detail), _inside(session, window)
    if dirty is not None:
        area = intersection(area, bounding(tiling.influence(session.tiling, tile) for tile in dirty))
    if not missing_for(runner, tiling.tiles_of(session.tiling, area)):  # nothing around all of them
        return []
    return list(_lacked(runner, _pieces(runner, window, dirty)))


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
            obey(classes[slices(home, part)], self.runner.marks.of(tile), home)
        return classes


def _in_order(
    make: Make, parts: Sequence[Window], done: int, is_ready: Optional[Callable[[Window], bool]]
) -> Generator[Step, None, int]:
    """Make the parts after the first `done`, as long as the next is ready when its turn comes; how many are done then?

    Pixels may come between two steps: what is not ready for one batch is looked at again for the next.
    """
    yield Progress(done, len(parts))
    before = -1
    while before < done < len(parts):
        before = done
        left = islice(parts, done, None)
        for batch in make(takewhile(is_ready, left) if is_ready is not None else left):
            if isinstance(batch, Wanted):
                yield batch
                continue
            yield from batch
            done += len(batch)
            yield Progress(done, len(parts))
    return done


def _has_pixels(runner: TileRunner, part: Window) -> bool:
    return not missing_for(runner, tiling.tiles_of(runner.lattice, part))


def _lacked(runner: TileRunner, parts: Iterable[Window]) -> Iterator[Window]:
    """The blocks that the parts lack, each once, as they come."""
    tiles, named = set[Window](), set[Window]()
    for part in parts:
        for tile in tiling.tiles_of(runner.lattice, part):
            if tile not in tiles:
                tiles.add(tile)
                found = [block for block in missing_for(runner, [tile]) if block not in named]
                named.update(found)
                yield from found


def _one_by_one(
    classifier: Classifier, measure: Optional[uncertainty.Measure], parts: Iterable[Window]
) -> Iterator[Union[list[Patch], Wanted]]:
    """Each with tiles that cannot be made with those of others."""
    for part in parts:
        yield Wanted()
        yield [_patch(classifier, measure, part)]


def _side_by_side(
    classifier: Classifier, measure: Optional[uncertainty.Measure], parts: Iterable[Window]
) -> Iterator[Union[list[Patch], Wanted]]:
    """Likewise, batch by batch: first the tiles that a batch of patches lacks, then the patches."""
    runner = classifier.runner
    at_once = batches.at_once(runner.session.predictor)
    for batch, tiles in _batches(runner, parts, at_once):
        wanted = Wanted(tuple(TileOf(runner, tile) for tile in tiles), at_once)
        yield wanted
        batches.make(wanted.missing())
        yield crew.side_by_side([partial(_patch, classifier, measure, part) for part in batch])


def _batches(runner: TileRunner, parts: Iterable[Window], at_once: int) -> Iterator[tuple[list[Window], list[Window]]]:
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
