"""Finished maps as GeoTIFFs: tiled, compressed, with overviews; complete under their name, or not there at all."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import Optional
from xml.etree import ElementTree
from xml.etree.ElementTree import Comment, Element, SubElement

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import windows
from rasterio.crs import CRS
from rasterio.enums import Resampling

from terrafine.server.rasters.raster_io import GDAL_ERRORS, Georeference, without_georeference_warnings
from terrafine.shared.errors import ConfigError, OutOfMemory, TerrafineError
from terrafine.shared.geo import IDENTITY, Grid, Window
from terrafine.shared.spec import NODATA_CLASS, LandCover

BLOCK_PX = 512
SMALLEST_OVERVIEW_PX = 256
STYLE_MARK = "written by Terrafine, and again with the next map of this name"
MADE_OF = "TERRAFINE_MADE_OF"
OVERVIEWS_SHARE = 4 / 3  # of the full resolution: 1 + 1/4 + 1/16 + …


@dataclass(frozen=True)
class Layer:
    """What a map's one band, uint8 with nodata 255, holds: classes with names and colours, or without them numbers,
    of which GIS make 0 … 1.

    made_of  tells the map from one of another raster, model, …; kept in the file, for `made_of`
    """

    description: str
    classes: Sequence[LandCover] = ()
    made_of: str = ""


class MapWriter:
    """A GeoTIFF that is written piece by piece: `with MapWriter(…) as writer: writer.write(window, values)`.

    It grows in a temporary folder beside its place and moves there when all went well; after an error, an interruption
    included, nothing is left. Names of classes go into `<name>.tif.aux.xml` and a style into `<name>.qml`, where GDAL
    and QGIS look for them; a style that is somebody else's stays.
    """

    def __init__(self, path: Path, grid: Grid, georeference: Georeference, layer: Layer) -> None:
        """Raises ConfigError where nothing can be written at `path`, OutOfMemory where the disk is too full."""
        self._path = path
        self._layer = layer
        check_place(path)
        _check_room(path, int(grid.width * grid.height * OVERVIEWS_SHARE))
        with _writing(path):
            self._folder = Path(tempfile.mkdtemp(prefix=_prefix(path), dir=path.parent))
        self._draft = self._folder / path.name
        self._size = grid.width, grid.height
        try:
            self._dataset = self._create(georeference)
        except BaseException:
            self._remove()
            raise

    def write(self, window: Window, values: NDArray[np.uint8]) -> None:
        """Write values (rows, columns) at `window`."""
        with _writing(self._path):
            box = windows.Window(window.col, window.row, window.width, window.height)
            self._dataset.write(values, 1, window=box)

    def __enter__(self) -> MapWriter:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], _error: Optional[BaseException], _trace: Optional[TracebackType]
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._remove()

    def _create(self, georeference: Georeference) -> rasterio.io.DatasetWriter:
        with _writing(self._path), without_georeference_warnings(), ExitStack() as opened:
            dataset = opened.enter_context(
                rasterio.open(self._draft, "w", **_profile(*self._size), **_place(georeference))
            )
            if georeference.gcps:
                dataset.gcps = list(georeference.gcps), georeference.crs or CRS()
            dataset.set_band_description(1, self._layer.description)
            if self._layer.made_of:
                dataset.update_tags(**{MADE_OF: self._layer.made_of})
            if self._layer.classes:
                dataset.write_colormap(1, {item.id: _rgba(item.color) for item in self._layer.classes})
            else:
                dataset.scales = (1 / (NODATA_CLASS - 1),)
            opened.pop_all()  # it stays open, unless one of these has failed
        return dataset

    def _finish(self) -> None:
        """Close, add overviews and names, move into place."""
        with _writing(self._path), without_georeference_warnings():
            self._dataset.close()
            self._add_overviews()
            _check_complete(self._draft)
            if self._layer.classes:
                _write_names(self._folder / f"{self._path.name}.aux.xml", self._layer.classes)
                if _may_replace_style(self._path.with_suffix(".qml")):
                    _write_style(self._draft.with_suffix(".qml"), self._layer.classes)
            for part in sorted(self._folder.iterdir(), key=lambda part: part != self._draft):  # the map itself first
                os.replace(part, self._path.parent / part.name)

    def _add_overviews(self) -> None:
        kind = Resampling.mode if self._layer.classes else Resampling.average
        with rasterio.open(self._draft, "r+") as dataset:
            dataset.build_overviews(_factors(*self._size), kind)

    def _remove(self) -> None:
        dataset = getattr(self, "_dataset", None)
        if dataset is not None and not dataset.closed:
            with _writing(self._path):
                dataset.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def made_of(path: Path) -> str:
    """As the map at `path` was told; "" where there is none."""
    if not path.is_file():
        return ""
    try:
        with without_georeference_warnings(), rasterio.open(path) as dataset:
            return str(dataset.tags().get(MADE_OF, ""))
    except GDAL_ERRORS:
        return ""


def remove_drafts(path: Path) -> None:
    """Those of the map at `path` that a run left which was killed; for who knows that no other is at work on it."""
    for folder in path.parent.glob(escape(_prefix(path)) + "*"):
        shutil.rmtree(folder, ignore_errors=True)


def _prefix(path: Path) -> str:
    return f".terrafine-{path.name}-"


def _profile(width: int, height: int) -> dict[str, object]:
    return {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": 1,
        "dtype": "uint8",
        "nodata": NODATA_CLASS,
        "tiled": True,
        "blockxsize": BLOCK_PX,
        "blockysize": BLOCK_PX,
        "compress": "deflate",
        "bigtiff": "if_safer",
    }


def _factors(width: int, height: int) -> list[int]:
    """Of the overviews, so that the last one is small."""
    return [2**level for level in range(1, 16) if max(width, height) / 2 ** (level - 1) > SMALLEST_OVERVIEW_PX]


def _check_complete(path: Path) -> None:
    """Raise OSError where a block is not in the file: GDAL does not tell what the disk refused when it was flushed."""
    with rasterio.open(path) as dataset:
        overviews = len(dataset.overviews(1))  # as numbers, GDAL rounds them: 255 for 256
        complete = overviews == len(_factors(*dataset.shape))
    size = path.stat().st_size
    for level in (None, *range(overviews)) if complete else ():
        with rasterio.open(path, overview_level=level) as image:
            complete = complete and all(_end_of_block(image, *block) <= size for block, _ in image.block_windows(1))
    if not complete:
        raise OSError("not all of it arrived on the disk, which may be full")


def _end_of_block(image: rasterio.DatasetReader, row: int, col: int) -> float:
    """Where a block ends in its file; beyond any end where it was not written."""
    place = [image.get_tag_item(f"BLOCK_{what}_{col}_{row}", "TIFF", bidx=1) for what in ("OFFSET", "SIZE")]
    return math.inf if None in place else sum(map(int, place))


def _place(georeference: Georeference) -> dict[str, object]:
    if georeference.gcps:
        return {}
    place: dict[str, object] = {"crs": georeference.crs}
    if georeference.transform != IDENTITY:
        place["transform"] = rasterio.Affine(*georeference.transform)
    return place


def _rgba(color: str) -> tuple[int, int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16), 255


def _write_names(path: Path, classes: Sequence[LandCover]) -> None:
    """Category names, which rasterio cannot set, where GDAL keeps them; beside what GDAL itself may have put there."""
    root = ElementTree.parse(path).getroot() if path.exists() else Element("PAMDataset")
    band = root.find("PAMRasterBand[@band='1']")
    if band is None:
        band = SubElement(root, "PAMRasterBand", band="1")
    names = SubElement(band, "CategoryNames")
    for item in classes:
        SubElement(names, "Category").text = item.name
    ElementTree.ElementTree(root).write(path, "utf-8")


def _may_replace_style(path: Path) -> bool:
    """Not one that was made by hand; QGIS drops our comment when somebody saves a style over ours."""
    return not path.exists() or STYLE_MARK in path.read_text("utf-8", "replace")


def _write_style(path: Path, classes: Sequence[LandCover]) -> None:
    """A QGIS style: from the colour table alone, which always has 256 entries, its legend would have as many."""
    root = Element("qgis")
    root.append(Comment(STYLE_MARK))
    attributes = {"type": "paletted", "band": "1", "opacity": "1", "alphaBand": "-1"}
    palette = SubElement(SubElement(SubElement(root, "pipe"), "rasterrenderer", attributes), "colorPalette")
    for item in classes:
        SubElement(palette, "paletteEntry", value=str(item.id), label=item.name, color=item.color, alpha="255")
    ElementTree.ElementTree(root).write(path, "utf-8")


def check_place(path: Path) -> None:
    """Raises ConfigError where no file can be."""
    if path.is_dir():
        raise ConfigError(f"'{path}' is a folder.", "Name the map's file in it.")
    if not path.parent.is_dir():
        raise ConfigError(f"There is no folder '{path.parent}' to write the map to.")


def _check_room(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise OutOfMemory(
            f"The map may take up to {needed / 1e6:.0f} MB; '{path.parent}' has {free / 1e6:.0f} MB left.",
            "Free some disk space, or write it elsewhere.",
        )


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, *GDAL_ERRORS) as error:
        raise TerrafineError(
            f"The map cannot be written to '{path}': {error}.", "Check the folder and the disk."
        ) from error
