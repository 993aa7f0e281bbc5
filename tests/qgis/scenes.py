"""Small rasters of many kinds, written with QGIS's GDAL."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Optional

import numpy as np
from osgeo import gdal, osr

SIZE = 160
SPOT = (slice(37, 44), slice(47, 54))  # rows and columns of one value, around the centre of pixel (50, 40)
NORTH_UP = (326000.0, 1.0, 0.0, 2785000.0, 0.0, -1.0)  # 1 m pixels near Dubai, EPSG:32640
Transform = tuple[float, float, float, float, float, float]


def noise(bands: int, dtype: str = "uint8", size: int = SIZE) -> np.ndarray:
    """The same random values each time: (bands, size, size)."""
    rng = np.random.default_rng(1)
    values = (rng.random((bands, size, size)) * {"uint8": 255, "uint16": 40000}.get(dtype, 1.0)).astype(dtype)
    values[(slice(None), *SPOT)] = 77
    return values


def create(
    path: Path, shape: tuple[int, ...], dtype: str, transform: Optional[Transform], epsg: int, options: tuple = ()
) -> gdal.Dataset:
    """An empty GeoTIFF of (bands, rows, columns); without a transform and with EPSG 0 it lies nowhere."""
    kind = {"uint8": gdal.GDT_Byte, "uint16": gdal.GDT_UInt16, "float32": gdal.GDT_Float32}[dtype]
    bands, rows, columns = shape
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), columns, rows, bands, kind, list(options))
    if transform is not None:
        dataset.SetGeoTransform(transform)
    if epsg:
        dataset.SetProjection(_wkt(epsg))
    return dataset


def write(
    path: Path, values: np.ndarray, transform: Optional[Transform] = NORTH_UP, epsg: int = 32640, options: tuple = ()
) -> gdal.Dataset:
    """A GeoTIFF with these values. The dataset is open until the caller drops it."""
    dataset = create(path, values.shape, values.dtype.name, transform, epsg, options)
    dataset.WriteArray(values)
    return dataset


def projected(path: Path, size: int = SIZE) -> Path:
    write(path, noise(3, size=size))
    return path


def stripes(path: Path) -> Path:
    """Three upright stripes of one colour each, with a little noise: what any classifier can tell apart."""
    colors = np.array([[40, 60, 160], [60, 150, 60], [190, 170, 130]], np.uint8)
    values = colors[np.arange(SIZE) * 3 // SIZE].T[:, None, :] + noise(3) // 16
    write(path, values.astype(np.uint8))
    return path


def rotated(path: Path, degrees: float = 30.0) -> Path:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    write(path, noise(3), (NORTH_UP[0], cos, sin, NORTH_UP[3], sin, -cos))
    return path


def geographic(path: Path) -> Path:
    """About 1 m pixels, in degrees."""
    write(path, noise(3), (55.27, 1e-5, 0.0, 25.19, 0.0, -0.9e-5), 4326)
    return path


def control_points(path: Path) -> Path:
    """Placed by ground control points alone, turned by a few degrees."""
    dataset = write(path, noise(3), None, 0)
    corners = [(x, y) for x in (0, SIZE) for y in (0, SIZE)]
    points = [gdal.GCP(326000 + 0.99 * x + 0.1 * y, 2785000 + 0.1 * x - 0.99 * y, 0, x, y) for x, y in corners]
    dataset.SetGCPs(points, _wkt(32640))
    return path


def nowhere(path: Path) -> Path:
    """A picture without georeference."""
    write(path, noise(3), None, 0)
    return path


def _wkt(epsg: int) -> str:
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(epsg)
    return reference.ExportToWkt()
