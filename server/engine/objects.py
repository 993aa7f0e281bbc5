"""One object on a session's raster, from a box and clicks; what the network saw of it is kept between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rasterio.features import shapes
from shapely.geometry import Point, Polygon, shape

from terrafine.models.normalise import to_unit
from terrafine.models.objects.finder import ObjectFinder, Seen
from terrafine.server.engine.session import Session
from terrafine.server.engine.work import Work
from terrafine.server.rasters.pixels import PixelSource
from terrafine.shared.errors import BadRequest, UnusableModel
from terrafine.shared.geo import Window, intersection, slices
from terrafine.shared.messages import ObjectFound
from terrafine.shared.objects import ObjectGuide, Points
from terrafine.shared.raster import RasterInfo

STRAY_PX = 0.75  # that an outline may stray from the pixels it is made of, in pixels of the raster or the network's

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def find(session: Session, finder: ObjectFinder, guide: ObjectGuide, work: Work) -> Iterator[ObjectFound]:
    """Yields the object, of the part of the raster that the network looked at.

    Raises BadRequest for a box outside the raster, UnusableModel where the raster lacks a band, Cancelled.
    """
    key = (session.name, finder.spec.name, guide.box, guide.first_inside)
    seen = session.caches.objects.get(key)
    if seen is None:
        work.check()
        with work.stage("features"):
            seen = look(finder, guide, session.source, session.info, _places(session, finder.spec.bands))
        session.caches.objects.put(key, seen, seen.features.nbytes)
    with work.stage("decode"):
        found = answer(finder, guide, seen, session.source, session.info)
    yield found


def missing_pixels(session: Session, finder: ObjectFinder, guide: ObjectGuide) -> list[Window]:
    """The blocks that `find` would lack; raises BadRequest for a box outside the raster."""
    return session.source.missing(_covered(finder, guide, session.info))


def look(finder: ObjectFinder, guide: ObjectGuide, source: PixelSource, info: RasterInfo, places: list[int]) -> Seen:
    """The first look at an object; `places` are those of the finder's bands among info.bands.

    Raises BadRequest for a box outside the raster.
    """
    inside = _covered(finder, guide, info)

    def read(window: Window) -> tuple[Floats, Mask]:
        unit, valid = np.zeros((len(places), *window.shape), np.float32), np.zeros(window.shape, bool)
        pixels = source.read(inside)
        rows, cols = slices(inside, window)
        unit[:, rows, cols], valid[rows, cols] = to_unit(pixels.array, info)[places], pixels.valid
        return unit, valid

    return finder.look(guide, read)


def answer(finder: ObjectFinder, guide: ObjectGuide, seen: Seen, source: PixelSource, info: RasterInfo) -> ObjectFound:
    """What the object is, with all clicks of the guide."""
    window = intersection(seen.crop.window, info.grid.window)
    logits = finder.logits(seen, guide)[slices(window, seen.crop.window)]
    mask = (logits > 0) & source.read(window).valid
    score = float((1.0 / (1.0 + np.exp(-logits[mask]))).mean()) if mask.any() else 0.0
    stray_px = STRAY_PX * max(1.0, 1.0 / seen.crop.scale)
    return ObjectFound(window, mask, outline_of(mask, window, guide.first_inside, stray_px), score)


def outline_of(mask: Mask, window: Window, inside: tuple[float, float], stray_px: float) -> Points:
    """The outer ring, simplified, of the part of a mask that holds a point, else of its largest; empty without any.

    mask  bool (*window.shape);  inside, and what is returned, in raster pixel coordinates
    """
    parts = [shape(part) for part, _ in shapes(mask.astype(np.uint8), mask, connectivity=4)]
    if not parts:
        return ()
    place = Point(inside[0] - window.col, inside[1] - window.row)
    chosen = max(parts, key=lambda part: (part.contains(place), part.area))
    ring = Polygon(chosen.exterior).simplify(stray_px)
    ring = ring if ring.is_valid else max(_parts(ring.buffer(0)), key=lambda part: part.area)
    return tuple((x + window.col, y + window.row) for x, y in ring.exterior.coords[:-1])


def _covered(finder: ObjectFinder, guide: ObjectGuide, info: RasterInfo) -> Window:
    """The raster pixels that the network looks at."""
    inside = intersection(finder.view.crop(guide).window, info.grid.window)
    if inside.is_empty or intersection(guide.window, info.grid.window).is_empty:
        raise BadRequest("The box lies outside the raster.", "Draw it over the image.")
    return inside


def _places(session: Session, bands: Sequence[str]) -> list[int]:
    """Of bands among those that the session's model sees."""
    missing = [band for band in bands if band not in session.spec.bands]
    if missing:
        raise UnusableModel(f"Objects are found in {missing[0]}, which '{session.spec.name}' does not see.")
    return [session.spec.bands.index(band) for band in bands]


def _parts(geometry: Polygon) -> list[Polygon]:
    return list(getattr(geometry, "geoms", [geometry]))
