"""Classifying a very large file: time, and peak memory of the `terrafine predict` process that does it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import rasterio

from terrafine.server.demo import scene, source
from terrafine.shared.errors import TerrafineError
from terrafine.shared.spec import PLAIN

SCENE_PX = 1536


@dataclass(frozen=True)
class RasterFigures:
    """Classifying one file: seconds, peak memory of the process in GB (10⁹ bytes), and what came out."""

    size_px: int
    seconds: float
    peak_gb: float
    tiled: bool
    compression: str
    overviews: Sequence[int]
    output_mb: float


def measure_raster(folder: Path, model: str, models: Path | None, size_px: int, detail: str = PLAIN) -> RasterFigures:
    """Write an RGB raster of `size_px` pixels a side and classify it with `terrafine predict`, in that detail."""
    raster, result = folder / "large.tif", folder / "map.tif"
    write_large(raster, size_px)
    command = [sys.executable, "-m", "terrafine.server.cli", "predict", str(raster), str(result)]
    command += ["--model", model, "--detail", detail]
    started = time.perf_counter()
    peak_gb = _run_and_watch(command + (["--models", str(models)] if models else []))
    seconds = time.perf_counter() - started
    with rasterio.open(result) as dataset:
        return RasterFigures(
            size_px, seconds, peak_gb, dataset.profile["tiled"], dataset.compression.value,
            dataset.overviews(1), result.stat().st_size / 1e6,
        )  # fmt: skip


def _run_and_watch(command: Sequence[str]) -> float:
    """Run a process to its end; returns the most memory that it held, in GB."""
    try:
        import resource
    except ImportError as error:
        raise TerrafineError("Peak memory can be measured on Linux and macOS only.") from error
    if subprocess.run(command, check=False).returncode != 0:
        raise TerrafineError(f"'{' '.join(command)}' failed.")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e9


def write_large(path: Path, size_px: int) -> None:
    """The drawn scene, repeated over a tiled JPEG GeoTIFF of three bands."""
    drawn = scene.draw(SCENE_PX).image
    profile = {
        "driver": "GTiff", "width": size_px, "height": size_px, "count": 3, "dtype": "uint8", "tiled": True,
        "blockxsize": 512, "blockysize": 512, "compress": "jpeg", "photometric": "ycbcr", "interleave": "pixel",
        "crs": source.NOWHERE, "transform": rasterio.Affine(scene.GSD_M, 0, 500_000, 0, -scene.GSD_M, 0),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        for top in range(0, size_px, SCENE_PX):
            for left in range(0, size_px, SCENE_PX):
                rows, cols = min(SCENE_PX, size_px - top), min(SCENE_PX, size_px - left)
                place = rasterio.windows.Window(left, top, cols, rows)
                dataset.write(drawn[:, :rows, :cols], window=place)
