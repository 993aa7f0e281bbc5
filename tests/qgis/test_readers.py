"""Two readers, one truth: QGIS's GDAL and the server's rasterio say the same about every kind of raster."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsRasterLayer

from terrafine.qgis_plugin.rasters.raster import Reader, raster_file
from terrafine.shared.errors import TerrafineError
from terrafine.tests.qgis import scenes
from terrafine.tests.qgis.read_with_rasterio import SPEC, middle

pytestmark = pytest.mark.qgis
ROOT = Path(__file__).resolve().parents[2]
REAL = Path(os.environ.get("TERRAFINE_DATA", ROOT.parent / "shared/data")) / "robustness"
JPEG_STEPS = 8  # that two versions of the JPEG library may differ
REAL_RASTERS = sorted(REAL.glob("*.tif"))


def alpha(path: Path) -> None:
    dataset = scenes.write(path, scenes.noise(4), options=("ALPHA=YES", "PHOTOMETRIC=RGB"))
    dataset.GetRasterBand(4).WriteArray(np.where(scenes.noise(1)[0] > 99, 255, 0).astype(np.uint8))


def alpha_first(path: Path) -> None:
    dataset = scenes.write(path, scenes.noise(4))
    kinds = (gdal.GCI_AlphaBand, gdal.GCI_BlueBand, gdal.GCI_GreenBand, gdal.GCI_RedBand)
    for number, kind in enumerate(kinds, 1):
        dataset.GetRasterBand(number).SetColorInterpretation(kind)


def nodata(path: Path) -> None:
    values = scenes.noise(3, "uint16")
    values[:, :40, :40] = 7
    dataset = scenes.write(path, values)
    for number in (1, 2, 3):
        dataset.GetRasterBand(number).SetNoDataValue(7)


def not_a_number(path: Path) -> None:
    values = scenes.noise(1, "float32")
    values[0, 30:60] = np.nan
    scenes.write(path, values)


def palette(path: Path) -> None:
    dataset = scenes.write(path, scenes.noise(1) // 32, options=("PHOTOMETRIC=PALETTE",))
    table = gdal.ColorTable()
    for value in range(8):
        table.SetColorEntry(value, (value * 30, 255 - value * 20, 128, 255))
    dataset.GetRasterBand(1).SetColorTable(table)


def mask(path: Path) -> None:
    dataset = scenes.write(path, scenes.noise(3))
    dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
    dataset.GetRasterBand(1).GetMaskBand().WriteArray(np.where(scenes.noise(1)[0] > 99, 255, 0).astype(np.uint8))


def described_bands(path: Path) -> None:
    dataset = scenes.write(path, scenes.noise(4, "uint16"))
    for number, name in enumerate(("nir", "Blue", "green", "RED"), 1):
        dataset.GetRasterBand(number).SetDescription(name)


def two_bands(path: Path) -> None:
    scenes.write(path, scenes.noise(2))


def complex_numbers(path: Path) -> None:
    gdal.GetDriverByName("GTiff").Create(str(path), 20, 20, 1, gdal.GDT_CInt16)


MADE = (
    alpha, alpha_first, nodata, not_a_number, palette, mask, described_bands, two_bands, complex_numbers,
    scenes.projected, scenes.rotated, scenes.geographic, scenes.control_points, scenes.nowhere,
)  # fmt: skip


@pytest.fixture(scope="module")
def rasters(tmp_path_factory) -> dict[str, Path]:
    """Name → file of all rasters."""
    folder = tmp_path_factory.mktemp("rasters")
    made = {make.__name__: folder / f"{make.__name__}.tif" for make in MADE}
    for make in MADE:
        make(made[make.__name__])
    return {**made, **{path.stem: path for path in REAL_RASTERS}}


@pytest.fixture(scope="module")
def server_says(rasters, server_python, tmp_path_factory):
    """Name → (info, arrays) by rasterio, all read in one process."""
    folder = tmp_path_factory.mktemp("rasterio")
    script = Path(__file__).with_name("read_with_rasterio.py")
    subprocess.run([server_python, str(script), str(folder), *map(str, rasters.values())], check=True)
    return {
        name: (json.loads((folder / f"{number}.json").read_text()), np.load(folder / f"{number}.npz"))
        for number, name in enumerate(rasters)
    }


@pytest.fixture(params=[make.__name__ for make in MADE] + [path.stem for path in REAL_RASTERS])
def pair(request, rasters, server_says):
    """((info, pixels) or the error that refuses the raster, what the server's reader says, is it JPEG?)."""
    layer = QgsRasterLayer(str(rasters[request.param]), "layer")
    try:
        reader = Reader(raster_file(layer))
        info = reader.describe(SPEC)
        return (info, reader.read(info, middle(info.grid.window))), server_says[request.param], is_jpeg(layer)
    except TerrafineError as error:
        return error, server_says[request.param], False


def is_jpeg(layer: QgsRasterLayer) -> bool:
    dataset = gdal.Open(layer.source())
    return "JPEG" in dataset.GetMetadata("IMAGE_STRUCTURE").get("COMPRESSION", "")


def test_both_readers_say_the_same(pair):
    ours, (theirs, arrays), lossy = pair
    if isinstance(ours, TerrafineError):
        assert {"refused": ours.code} == theirs
        return
    info, patch = ours
    assert (info.dtype, list(info.bands)) == (theirs["dtype"], theirs["bands"])
    assert np.allclose(info.ranges, theirs["ranges"])
    assert (info.palette and [list(color) for color in info.palette]) == theirs["palette"]
    assert (info.grid.width, info.grid.height) == (theirs["grid"]["width"], theirs["grid"]["height"])
    assert np.allclose(info.grid.transform, theirs["grid"]["transform"], rtol=1e-6)
    gsd_m = theirs["grid"]["gsd_m"]
    assert info.grid.gsd_m == (gsd_m and pytest.approx(gsd_m, rel=1e-3))
    assert np.array_equal(patch.valid, arrays["valid"])
    values, expected = (a[:, patch.valid].astype("float64") for a in (patch.array, arrays["array"]))
    if lossy:
        assert abs(values - expected).max() <= JPEG_STEPS
        assert abs(values - expected).mean() < 1.0
    else:
        assert np.array_equal(values, expected)
