"""A session's network on its tiles. The batch shape never varies, so equal tiles give equal numbers; several tiles are
made side by side, in threads.

Logits stay on the network's device, also where they are blended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache, partial
from typing import Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from terrafine.models.certainty.uncertainty import as_they_are
from terrafine.models.cuda import download
from terrafine.models.encoding.channels import channels_of
from terrafine.models.encoding.context import IN_CONTEXT, Context, context_of
from terrafine.models.infer import TileFeatures
from terrafine.models.lasting import Lasting
from terrafine.models.normalise import to_network, to_unit
from terrafine.server.engine import crew
from terrafine.server.engine.blending import Blender
from terrafine.server.engine.caches import ByteLru
from terrafine.server.engine.session import Session
from terrafine.server.engine.tile_marks import TileMarks
from terrafine.server.engine.work import Work
from terrafine.server.rasters import tiling
from terrafine.server.rasters.resample import source_window, to_model, to_raster
from terrafine.server.rasters.tiling import Tiling
from terrafine.shared.geo import Window, blocks, bounding, contains, intersection, slices
from terrafine.shared.patch import Patch

READ_PX = 2048  # no more raster pixels a side are in memory as floats while they are resampled
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
UNMARKED = TileMarks({})
EMPTY = torch.empty(0, dtype=torch.float16)  # of a tile without data: the network never sees it


class TileRunner:
    """For one request: marks and weights do not change while it lasts. Raises Cancelled between two tiles.

    What it is asked for it may be asked for by several threads of a crew, but each tile by one of them alone.
    """

    def __init__(
        self, session: Session, work: Work, marks: Optional[TileMarks] = None, lattice: Optional[Tiling] = None
    ) -> None:
        """`marks` and `lattice`, where the tiles lie: the session's own by default."""
        self.session = session
        self.work = work
        self.marks = marks if marks is not None else session.tile_marks
        self.lattice = lattice if lattice is not None else session.tiling
        self._reading = threading.Lock()

    @property
    def panel_tiles(self) -> int:
        """How many tiles wide a part of the raster may be for what its tiles share to stay in the caches."""
        return self.session.panel_tiles

    def needed(self, tiles: Sequence[Window]) -> Window:
        """The raster pixels (they may lie outside the raster) that tiles which make a rectangle are made from."""
        return source_window(bounding(tiles), self.lattice.scale)

    def valid(self, part: Window) -> Mask:
        """Where the raster has data."""
        with self.work.stage("read"):
            return self._read(part).valid

    def missing(self, tiles: Sequence[Window]) -> list[Window]:
        """Those of `tiles` whose logits are yet to be computed."""
        return [tile for tile in tiles if self.session.caches.logits.get(self._logits_key(tile)) is None]

    def logits(self, part: Window) -> Tensor:
        """Of the shown classes, float32 (shown, *part.shape), on the raster's grid and the network's device."""
        logits = self.blended(part)
        with self.work.stage("blend"):
            return self.session.legend.merged(logits, self.session.spec.temperature)

    def blended(self, part: Window) -> Tensor:
        """Of the network's classes, likewise."""
        return self.blend(part, self.tile_logits, len(self.session.spec.classes))

    def uncertainty(self, part: Window, method: str) -> Tensor:
        """By a method that looks into the network: float32 (*part.shape) in [0, 1], likewise."""
        (values,) = self.blend(part, lambda tile: self._uncertainty(tile, method), 1)
        return values.clamp(0.0, 1.0)

    def blend(
        self, part: Window, of_tile: Callable[[Window], Tensor], bands: int, lattice: Optional[Tiling] = None
    ) -> Tensor:
        """`part` of a raster from the tiles on it, each float16 (bands, tile_px, tile_px) or EMPTY: float32 (bands, …).

        Every blend starts anew from the values of all its tiles. The last comes first, for a part that is no larger
        than a tile's cell is often all its own.
        """
        lattice = lattice if lattice is not None else self.lattice
        needed = tiling.sampled(lattice, part)
        blender = Blender(lattice.grid, needed, bands, self.session.predictor.device)
        for tile in reversed(tiling.tiles_of(lattice, part)):
            values = of_tile(tile)
            with self.work.stage("blend"):
                if len(values):
                    blender.feed(tile, values)
        with self.work.stage("blend"):
            return to_raster(blender.data, needed, part, lattice.scale, lattice.model_window)

    def features(self, tile: Window) -> Optional[TileFeatures]:
        """What the network makes of the tile's image; None if there is no data at all."""
        cached = self.kept_features(tile)
        if cached is None:
            (cached,) = crew.side_by_side([partial(self._features_of, tile)], self.may_spread)
            if cached is not None:
                self.keep_features(tile, cached)
        return cached

    def kept_features(self, tile: Window) -> Optional[TileFeatures]:
        return self.session.caches.features.get(self._features_key(tile))

    def keep_features(self, tile: Window, features: TileFeatures) -> None:
        self.session.caches.features.put(self._features_key(tile), features, features.nbytes)

    def _features_key(self, tile: Window) -> tuple[Hashable, ...]:
        return self.session.name, self.lattice.scale, self.session.weights.current.encoder, tile

    def _features_of(self, tile: Window) -> Optional[TileFeatures]:
        self.work.check()
        image, valid = self.image(tile)
        if not valid.any():
            return None
        with self.work.stage("features"):
            return self.session.predictor.features(image[None])[0]

    def image(self, tile: Window) -> tuple[Floats, Mask]:
        """The tile as the network sees it, float32 (bands, tile_px, tile_px), normalised; and where there is data."""
        with self.work.stage("read"):
            unit, valid = self._unit(tile)
            return to_network(unit, valid, self.session.spec), valid

    def channels(self, tile: Window) -> Floats:
        """The tile's marks and side information as the network sees them, float32 (channels, tile_px, tile_px)."""
        spec, marks = self.session.spec, self.marks.of(tile)
        if not marks and not spec.side.channels:
            return _silence(len(spec.classes), spec.tile_px)
        context = self._context(tile) if marks and spec.encoding.kind in IN_CONTEXT else None
        with self.work.stage("encode"):
            return channels_of(spec, marks, tile, self.lattice.scale, context, self.session.side)

    def _context(self, tile: Window) -> Optional[Context]:
        """What some encodings look at beside the marks: the image, or the map without marks."""
        unmarked = TileRunner(self.session, self.work, UNMARKED, self.lattice)
        return context_of(self.session.spec, self.image(tile)[0], lambda: download(unmarked.tile_logits(tile).float()))

    def tile_logits(self, tile: Window) -> Tensor:
        """Float16 (classes, tile_px, tile_px); EMPTY if the tile holds no data. Kept per network and marks."""
        return self._kept(self.session.caches.logits, self._logits_key(tile), tile, self._decoded)

    def keep_logits(self, tile: Window, logits: Tensor) -> None:
        keep(self.session.caches.logits, self._logits_key(tile), logits)

    def _logits_key(self, tile: Window) -> tuple[Hashable, ...]:
        return self.session.name, self.lattice.scale, self.session.network, tile, self.marks.of(tile)

    def _decoded(self, tile: Window, features: TileFeatures) -> Lasting:
        channels = self.channels(tile)
        with self.work.stage("decode"):
            return Lasting(self.session.predictor.halves([features], channels[None]))

    def _uncertainty(self, tile: Window, method: str) -> Tensor:
        """Like `tile_logits`, float16 (1, tile_px, tile_px)."""
        session = self.session
        key = (
            session.name,
            self.lattice.scale,
            method,
            session.network,
            session.legend.becomes,
            tile,
            self.marks.of(tile),
        )
        return self._kept(
            self.session.caches.uncertainty, key, tile, lambda _, features: self._measured(tile, features, method)
        )

    def _measured(self, tile: Window, features: TileFeatures, method: str) -> Lasting:
        image, channels, session = self.image(tile)[0], self.channels(tile), self.session
        merged = partial(session.legend.merged, temperature=session.spec.temperature)
        shown = as_they_are if session.legend.is_whole else merged
        with self.work.stage("uncertainty"):
            values = session.predictor.uncertainty(method, [features], image[None], channels[None], shown)
            return Lasting([values.half()])

    def _kept(
        self,
        cache: ByteLru[Lasting],
        key: tuple[Hashable, ...],
        tile: Window,
        compute: Callable[[Window, TileFeatures], Lasting],
    ) -> Tensor:
        """From the cache, or computed and kept; EMPTY for a tile without data."""
        found = cache.get(key)
        if found is None:
            (found,) = crew.side_by_side([partial(self._made, tile, compute)], self.may_spread)
            cache.put(key, found, found.nbytes)
        return found.tensors[0]

    def _made(self, tile: Window, compute: Callable[[Window, TileFeatures], Lasting]) -> Lasting:
        features = self.features(tile)
        self.work.check()
        return Lasting([EMPTY]) if features is None else compute(tile, features)

    @property
    def may_spread(self) -> bool:
        """May a tile that is made alone use all threads? Not if its bits were others than beside other tiles."""
        return crew.width() == 1 or self.session.predictor.is_same_in_threads

    def _unit(self, tile: Window) -> tuple[Floats, Mask]:
        """Pixels in [0, 1] and their mask; in pieces, for a fine raster has many."""
        session, scale = self.session, self.lattice.scale
        if scale == 1.0 and contains(session.tiling.raster, tile):
            return self._resampled(tile, tile)
        image = np.zeros((len(session.info.bands), *tile.shape), np.float32)
        valid = np.zeros(tile.shape, bool)
        for part in blocks(tile, max(32, int(READ_PX * scale))):
            source = intersection(source_window(part, scale), session.tiling.raster)
            if source.is_empty:
                continue
            rows, cols = slices(part, tile)
            image[:, rows, cols], valid[rows, cols] = self._resampled(source, part)
        return image, valid

    def _resampled(self, source: Window, part: Window) -> tuple[Floats, Mask]:
        pixels = self._read(source)
        unit = to_unit(pixels.array, self.session.info)
        return to_model(unit, pixels.valid, source, part, self.lattice.scale)

    def _read(self, window: Window) -> Patch:
        """By one thread at a time: a raster file can bear no more."""
        with self._reading:
            return self.session.source.read(window)


def kept(cache: ByteLru[Lasting], key: tuple[Hashable, ...]) -> Optional[Tensor]:
    """The one tensor that lies there."""
    found = cache.get(key)
    return found.tensors[0] if found is not None else None


def keep(cache: ByteLru[Lasting], key: tuple[Hashable, ...], values: Tensor) -> None:
    lasting = Lasting([values])
    cache.put(key, lasting, lasting.nbytes)


@lru_cache(maxsize=8)
def _silence(classes: int, tile_px: int) -> Floats:
    """The channels of no marks; clearing that much memory anew for every tile takes longer than encoding marks."""
    return np.zeros((classes, tile_px, tile_px), np.float32)
