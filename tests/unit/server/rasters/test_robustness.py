"""Real rasters of every kind, where the imagery for testing is at hand (TERRAFINE_DATA, else ../shared/data)."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio

from terrafine.server.engine import engine
from terrafine.server.engine.session import Session
from terrafine.server.rasters.map_writer import Layer, MapWriter
from terrafine.server.rasters.raster_io import Raster, open_raster
from terrafine.shared.errors import UnusableRaster
from terrafine.shared.geo import Window, intersection
from terrafine.shared.patch import Patch

ROOT = Path(__file__).parents[4]
FOLDER = Path(os.environ.get("TERRAFINE_DATA", ROOT.parent / "shared" / "data")) / "robustness"
REFUSED = {"rasterio__corrupt.tif": "cannot be read", "riocogeo__slc.tif": "complex"}
FILES = sorted(path.name for path in FOLDER.glob("*.tif"))
WHOLE_PX = 1 << 20  # larger rasters are classified in two places: the map does not depend on the window

pytestmark = pytest.mark.skipif(not FILES, reason="the imagery for testing is not here")


def windows_of(raster: Raster) -> list[Window]:
    whole = raster.info.grid.window
    if whole.pixels <= WHOLE_PX:
        return [whole]
    corner = Window(whole.width - 300, whole.height - 200, 300, 200)
    return [corner, intersection(Window(whole.width // 2, whole.height // 2, 300, 200), whole)]


def classified(path: Path, target: Path, predictor) -> list[Window]:
    with warnings.catch_warnings(), open_raster(path, predictor.spec) as raster:
        warnings.simplefilter("error")
        layer, windows = Layer("land cover", predictor.spec.classes), windows_of(raster)
        with MapWriter(target, raster.info.grid, raster.georeference, layer) as writer:
            for window in windows:
                for item in engine.predict(Session(raster.info, raster, predictor), window):
                    if isinstance(item, Patch):
                        writer.write(item.window, item.array[0])
    return windows


@pytest.mark.parametrize("name", [name for name in FILES if name not in REFUSED])
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning", "ignore::UserWarning")
def test_it_comes_out_in_the_right_place_with_nodata_kept(name: str, tmp_path: Path, make_session, noise) -> None:
    target = tmp_path / f"é {name}"
    windows = classified(FOLDER / name, target, make_session(noise(1, 1)).predictor)
    with rasterio.open(FOLDER / name) as source, rasterio.open(target) as result:
        assert result.shape == source.shape
        assert result.crs == source.crs
        assert result.transform == source.transform
        assert (len(result.gcps[0]), result.gcps[1]) == (len(source.gcps[0]), source.gcps[1])
        for window in windows:
            box = rasterio.windows.Window(window.col, window.row, window.width, window.height)
            np.testing.assert_array_equal(result.read(1, window=box) == 255, ~has_data(source, box))


def has_data(source: rasterio.DatasetReader, box: rasterio.windows.Window) -> np.ndarray:
    """By GDAL's own account; and a number that is none is no data."""
    spectral = [i + 1 for i, kind in enumerate(source.colorinterp) if kind.name != "alpha"]
    masks = source.read_masks(spectral, window=box).any(axis=0)
    return masks & np.isfinite(source.read(spectral, window=box)).all(axis=0)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_used_is_refused_with_the_reason(name: str, tmp_path: Path, make_session, noise) -> None:
    with pytest.raises(UnusableRaster, match=REFUSED[name]):
        classified(FOLDER / name, tmp_path / name, make_session(noise(1, 1)).predictor)
    assert list(tmp_path.iterdir()) == []
