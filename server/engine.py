"""From pixels and marks to a map: the one engine behind QGIS, `terrafine predict` and `terrafine evaluate`.

A map is made of tiles that depend on the raster and the marks near them alone, so it does not depend on the window that
was asked for, and a map refreshed around a mark is the map from scratch: tiles are run one by one (the same batch shape
always), their logits are rounded to float16 always, and every blend starts anew from the logits of all its tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional, Union

import numpy as np
from numpy.typing import NDArray

from terrafine.models.encoding import encode, marked_pixels
from terrafine.models.infer import TileFeatures
from terrafine.models.normalise import to_network, to_unit
from terrafine.server import tiling
from terrafine.server.resample import source_window, to_model, to_raster
from terrafine.server.session import Session
from terrafine.server.work import Work
from terrafine.shared.annotation import bounds
from terrafine.shared.geo import Window, blocks, bounding, intersection, intersects, slices
from terrafine.shared.messages import Done, Progress
from terrafine.shared.patch import Patch
from terrafine.shared.spec import NODATA_CLASS
from terrafine.shared.tiles import Blender

STAGES = ("read", "encode", "features", "decode", "blend")
UNCERTAINTY_STEPS = 254  # 255 is no data
READ_PX = 2048  # no more raster pixels a side are in memory as floats while they are resampled
Logits = NDArray[np.float16]
EMPTY: Logits = np.empty(0, np.float16)  # of a tile without data: the network never sees it


def predict(
    session: Session,
    window: Window,
    changed_since: Optional[int] = None,
    uncertainty: bool = False,
    work: Optional[Work] = None,
) -> Iterator[Union[Progress, Patch, Done]]:
    """Classify `window` (raster pixels; what is outside the raster is ignored) at the session's current marks.

    Yields finished patches as soon as their tiles are done, each followed by the progress (in patches), and at the end
    Done with the seconds that each stage took. A patch's array is uint8 (1, rows, columns) of class ids, NODATA_CLASS
    where there is no data; with `uncertainty` a second band has the entropy of the class probabilities, 0 … 254 for
    0 … 1. With `changed_since`, only what can differ from the map of that revision.

    Raises Cancelled between two tiles once `work` is to stop, and what the pixel source raises.
    """
    work = work if work is not None else Work()
    run = _Run(session, work, uncertainty)
    parts = _pieces(session, window, _dirty(session, changed_since))
    yield Progress(0, len(parts))
    for done, part in enumerate(parts, 1):
        yield run.patch(part)
        yield Progress(done, len(parts))
    yield Done(session.log.revision, {**dict.fromkeys(STAGES, 0.0), **work.seconds()})


def missing_pixels(session: Session, window: Window, changed_since: Optional[int] = None) -> list[Window]:
    """The blocks that `predict` with the same arguments would lack, each once, as the tiles that need them come."""
    dirty = _dirty(session, changed_since)
    if dirty is None:
        return _missing(session, tiling.tiles_of(session.tiling, _inside(session, window)))
    parts = _pieces(session, window, dirty)
    needed = dict.fromkeys(tile for part in parts for tile in tiling.tiles_of(session.tiling, part))
    return list(dict.fromkeys(block for tile in needed for block in _missing(session, [tile])))


def _missing(session: Session, tiles: list[Window]) -> list[Window]:
    """The blocks, row-major, that the pixels of `tiles` lack, which together are a rectangle."""
    source = source_window(bounding(tiles), session.tiling.scale)
    return session.source.missing(intersection(source, session.tiling.raster))


def _pieces(session: Session, window: Window, dirty: Optional[frozenset[Window]]) -> list[Window]:
    inside = _inside(session, window)
    return tiling.pieces(session.tiling, inside, _panel_tiles(session), dirty) if not inside.is_empty else []


def _dirty(session: Session, changed_since: Optional[int]) -> Optional[frozenset[Window]]:
    """The tiles to work on; None for all."""
    return None if changed_since is None else session.changed_tiles(changed_since)


def _inside(session: Session, window: Window) -> Window:
    return intersection(window, session.tiling.raster)


def _panel_tiles(session: Session) -> int:
    """How many tiles wide a panel may be for two rows of it to stay in the cache of logits."""
    spec = session.spec
    tile_bytes = len(spec.classes) * spec.tile_px**2 * np.dtype(np.float16).itemsize
    return max(1, session.caches.logits.budget // (2 * tile_bytes) - 2)


class _Run:
    """One prediction: the marks do not change while it lasts."""

    def __init__(self, session: Session, work: Work, uncertainty: bool) -> None:
        self.session = session
        self.work = work
        self.uncertainty = uncertainty

    def patch(self, part: Window) -> Patch:
        """The finished map of `part`."""
        self.work.check()
        with self.work.stage("read"):
            valid = self.session.source.read(part).valid
        bands = np.full((2 if self.uncertainty else 1, *part.shape), NODATA_CLASS, np.uint8)
        if valid.any():
            logits = self._blended(part)
            with self.work.stage("blend"):
                bands[0] = np.where(valid, self._obeyed(logits, part), NODATA_CLASS)
                if self.uncertainty:
                    bands[1] = np.where(valid, entropy(logits / self.session.spec.temperature), NODATA_CLASS)
        return Patch(part, bands, valid, self.session.log.revision)

    def _obeyed(self, logits: NDArray[np.float32], part: Window) -> NDArray[np.uint8]:
        """The most likely class, or the marked one: a mark is obeyed."""
        near = [mark for mark in self.session.log.marks if intersects(bounds(mark, 1.0), part)]
        classes = logits.argmax(axis=0).astype(np.uint8)
        marked = marked_pixels(near, part)
        return np.where(marked >= 0, marked, classes).astype(np.uint8)

    def _blended(self, part: Window) -> NDArray[np.float32]:
        """Logits float32 (classes, *part.shape) on the raster's grid."""
        lattice = self.session.tiling
        needed = tiling.sampled(lattice, part)
        blender = Blender(lattice.grid, needed, len(self.session.spec.classes))
        for tile in tiling.tiles_of(lattice, part):
            logits = self._logits(tile)
            with self.work.stage("blend"):
                if logits is not None:
                    blender.feed(tile, logits)
        with self.work.stage("blend"):
            return to_raster(blender.data, needed, part, lattice.scale, lattice.model_window)

    def _logits(self, tile: Window) -> Optional[Logits]:
        """Logits of one tile, from the cache if its marks are the same; None if it holds no data at all."""
        key = (self.session.name, tile, self.session.marks_of(tile))
        cached = self.session.caches.logits.get(key)
        if cached is None:
            features = self._features(tile)
            cached = EMPTY if features is None else self._decoded(tile, features)
            self.session.caches.logits.put(key, cached, cached.nbytes)
        return cached if cached.size else None

    def _decoded(self, tile: Window, features: TileFeatures) -> Logits:
        self.work.check()
        spec, marks = self.session.spec, self.session.marks_of(tile)
        with self.work.stage("encode"):
            channels = encode(marks, tile, spec.encoding, len(spec.classes), self.session.tiling.scale)
        with self.work.stage("decode"):
            return self.session.predictor.logits([features], channels[None])[0].astype(np.float16)

    def _features(self, tile: Window) -> Optional[TileFeatures]:
        key = (self.session.name, tile)
        cached = self.session.caches.features.get(key)
        if cached is None:
            self.work.check()
            with self.work.stage("read"):
                image, valid = self._image(tile)
            if not valid.any():
                return None
            with self.work.stage("features"):
                (cached,) = self.session.predictor.features(to_network(image, valid, self.session.spec)[None])
            self.session.caches.features.put(key, cached, cached.nbytes)
        return cached

    def _image(self, tile: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Pixels float32 (bands, tile_px, tile_px) in [0, 1] and their mask; in pieces, for a fine raster has many."""
        session, scale = self.session, self.session.tiling.scale
        image = np.zeros((len(session.info.bands), *tile.shape), np.float32)
        valid = np.zeros(tile.shape, bool)
        for part in blocks(tile, max(32, int(READ_PX * scale))):
            source = intersection(source_window(part, scale), session.tiling.raster)
            if source.is_empty:
                continue
            rows, cols = slices(part, tile)
            pixels = session.source.read(source)
            unit = to_unit(pixels.array, session.info)
            image[:, rows, cols], valid[rows, cols] = to_model(unit, pixels.valid, source, part, scale)
        return image, valid


def entropy(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Uncertainty: the entropy of softmax(logits) over the first axis, ÷ log(classes), uint8 with 254 for 1."""
    shifted = logits - logits.max(axis=0)
    powers = np.exp(shifted)
    total = powers.sum(axis=0)
    nats = np.log(total) - (powers * shifted).sum(axis=0) / total
    share = np.clip(nats / np.log(len(logits)), 0.0, 1.0)
    return np.rint(share * UNCERTAINTY_STEPS).astype(np.uint8)
