"""Where the demonstration's raster comes from: the user, the data beside the checkout, or nowhere (made up)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import windows
from rasterio.enums import ColorInterp

from terrafine.server.demo import scene
from terrafine.server.rasters.raster_io import without_georeference_warnings
from terrafine.shared.errors import ConfigError
from terrafine.shared.geo import Window
from terrafine.shared.spec import NODATA_CLASS

DATA = "TERRAFINE_DATA"
BESIDE_CHECKOUT = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
EXAMPLE = Path("dubai") / "tile3.tif"
NOWHERE = "EPSG:32631"  # a UTM zone; easting 500 km at the equator lies in the Gulf of Guinea
TILED = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}


@dataclass(frozen=True)
class Source:
    """A raster file, the file of its truth (class ids, 255 where it says nothing) if there is one, and its story."""

    raster: Path
    truth: Optional[Path]
    origin: str


def find(raster: Optional[Path], folder: Path) -> Source:
    """The raster that was asked for; else the example under $TERRAFINE_DATA or ../shared/data; else a made-up scene,
    which is written into `folder`. The truth of NAME.tif is NAME_labels.tif beside it.
    """
    if raster is not None:
        return Source(raster, _labels_of(raster), "the raster asked for")
    places = [Path(os.environ[DATA])] if os.environ.get(DATA) else [BESIDE_CHECKOUT]
    for place in places:
        example = (place / EXAMPLE).resolve()
        if example.is_file():
            origin = "Dubai, tile 3 of 'Semantic segmentation of aerial imagery' (CC0); its place and GSD are invented"
            return Source(example, _labels_of(example), origin)
    return make_up(folder)


def make_up(folder: Path, size_px: int = 1536) -> Source:
    """Draw the scene and write scene.tif and scene_labels.tif into `folder`."""
    drawn = scene.draw(size_px)
    raster, labels = folder / "scene.tif", folder / "scene_labels.tif"
    _write(raster, drawn.image)
    _write(labels, drawn.truth[None])
    return Source(raster, labels, "MADE UP by this program, for want of a real one; its figures hold for nothing else")


def read_truth(path: Path, window: Window, size: tuple[int, int], classes: int) -> NDArray[np.uint8]:
    """The truth in `window`, uint8 (rows, columns), 255 where it says nothing; raises ConfigError if it does not fit.

    size     (width, height) of the raster that it is the truth of
    classes  how many the model has
    """
    with without_georeference_warnings(), rasterio.open(path) as dataset:
        if (dataset.width, dataset.height) != size:
            raise ConfigError(f"'{path}' has another size than its raster.", "Remove it to go on without truth.")
        box = windows.Window(window.col, window.row, window.width, window.height)
        truth, known = dataset.read(1, window=box), dataset.read_masks(1, window=box) > 0
    truth = np.where(known & (truth >= 0), truth, np.int64(NODATA_CLASS))  # "unknown" may be −1
    if np.any((truth >= classes) & (truth != NODATA_CLASS)):
        raise ConfigError(f"'{path}' has classes that the model does not have.", "Choose another with --model.")
    return truth.astype(np.uint8)


def _labels_of(raster: Path) -> Optional[Path]:
    labels = raster.with_name(f"{raster.stem}_labels.tif")
    return labels if labels.is_file() else None


def _write(path: Path, bands: NDArray[np.uint8]) -> None:
    count, height, width = bands.shape
    transform = rasterio.Affine(scene.GSD_M, 0.0, 500_000.0, 0.0, -scene.GSD_M, 0.0)
    place = {"crs": NOWHERE, "transform": transform}
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=count, dtype="uint8", **TILED, **place
    ) as dataset:
        if count == 3:
            dataset.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        dataset.write(bands)
