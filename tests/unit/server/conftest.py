"""Small stand-ins for what is large: a network whose logits can be worked out by hand, and rasters of a few pixels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from rasterio.errors import NotGeoreferencedWarning

from terrafine.models import registry
from terrafine.models.infer import Predictor, TileFeatures
from terrafine.server.engine.session import Caches, Session
from terrafine.server.rasters.contents import ContentStore
from terrafine.server.rasters.pixels import BlockStore
from terrafine.server.zoo import Zoo
from terrafine.shared.geo import Grid, blocks, slices
from terrafine.shared.messages import UPLOAD_BLOCK_PX
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import EncodingSpec, LandCover, ModelSpec, Normalisation

CLASSES = (LandCover(0, "water", "#0000ff"), LandCover(1, "bare land", "#c0a060"), LandCover(2, "trees", "#008000"))
SPEC = ModelSpec(
    "tiny",
    "Tiny",
    "linknet",
    "mobilenet_v2_same",
    ("red", "green", "blue"),
    CLASSES,
    0.5,
    Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    EncodingSpec("distance", 4.0),
    tile_px=64,
    overlap_px=16,
)


class BrightnessPredictor:
    """Stands in for models.infer.Predictor: a class's logit is its band of the image, plus ten times its marks'
    channel, plus the mean of that channel over the tile: a mark changes its whole tile, as in a real network.
    """

    def __init__(self, spec: ModelSpec = SPEC) -> None:
        self.spec = spec
        self.network = torch.nn.Identity()
        self.decoded = 0
        self.looked_at = 0
        self.deaf = False  # to marks
        self.is_same_in_threads = True
        self.device, self.batch = torch.device("cpu"), 1

    def features(self, images: np.ndarray) -> list[TileFeatures]:
        self.looked_at += len(images)
        return [TileFeatures((torch.from_numpy(images[i : i + 1]),)) for i in range(len(images))]

    def halves(self, features: list[TileFeatures], marks: np.ndarray) -> list[torch.Tensor]:
        self.decoded += len(features)
        images = np.concatenate([tile.tensors[0].numpy() for tile in features])
        marks = marks * (not self.deaf)
        logits = images[:, : marks.shape[1]] + 10 * marks + marks.mean(axis=(2, 3), keepdims=True)
        return list(torch.from_numpy(logits.astype(np.float16)))


def _info_of(image: np.ndarray, gsd_m: float | None = 0.5) -> RasterInfo:
    bands, height, width = image.shape
    grid = Grid(width, height, gsd_m=gsd_m)
    return RasterInfo(grid, str(image.dtype), tuple(range(1, bands + 1)), ((0.0, 255.0),) * bands)


def _upload(session: Session, image: np.ndarray, valid: np.ndarray | None = None) -> None:
    """Put all blocks of an image into the session's store."""
    raster = session.info.grid.window
    valid = np.ones(raster.shape, bool) if valid is None else valid
    for block in blocks(raster, UPLOAD_BLOCK_PX):
        rows, cols = slices(block, raster)
        session.source.put(Patch(block, image[:, rows, cols], valid[rows, cols]))


def _session(
    image: np.ndarray, valid: np.ndarray | None = None, gsd_m: float | None = 0.5, predictor: Predictor | None = None
) -> Session:
    info = _info_of(image, gsd_m)
    session = Session(info, BlockStore(info, ContentStore()), predictor or BrightnessPredictor(), Caches())
    _upload(session, image, valid)
    return session


def _noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (3, height, width), np.uint8)


def _write_raster(path: Path, array: np.ndarray, mask: np.ndarray | None = None, **profile: object) -> Path:
    """A GeoTIFF of an array (bands, rows, columns) with rasterio's profile entries; `mask` becomes an internal mask."""
    count, height, width = array.shape
    dtype = profile.pop("dtype", array.dtype)
    interpretation = profile.pop("colorinterp", None)
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", count=count, height=height, width=width, dtype=dtype, **profile
        ) as dataset:
            if interpretation is not None:
                dataset.colorinterp = interpretation
            dataset.write(array)
            if mask is not None:
                dataset.write_mask(mask)
    return path


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    """Three classes, tiles of 64 that overlap by 16, marks that reach 4 pixels, 0.5 m."""
    return SPEC


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, spec: ModelSpec) -> Path:
    """A folder with one model, "tiny", whose untrained network is torn between all classes."""
    torch.manual_seed(3)
    network = registry.build(spec)
    with torch.no_grad():  # as it is built, it answers one class everywhere
        network.head.weight.mul_(100)
    folder = tmp_path_factory.mktemp("models")
    registry.save(folder / spec.name, spec, network)
    return folder


@pytest.fixture(scope="session")
def zoo(models: Path) -> Zoo:
    """Open for "tiny" alone, which it loads once for all tests: what sessions learn leaves it as it is."""
    return Zoo([models], "cpu")


@pytest.fixture(scope="session")
def info_of() -> Callable[..., RasterInfo]:
    """info_of(image (bands, rows, columns), gsd_m=0.5)"""
    return _info_of


@pytest.fixture(scope="session")
def make_session() -> Callable[..., Session]:
    """make_session(image (3, rows, columns) uint8, valid=None, gsd_m=0.5, predictor=None): all is uploaded already."""
    return _session


@pytest.fixture(scope="session")
def noise() -> Callable[..., np.ndarray]:
    """noise(height, width, seed=0): uint8 (3, height, width)"""
    return _noise


@pytest.fixture(scope="session")
def write_raster() -> Callable[..., Path]:
    return _write_raster
