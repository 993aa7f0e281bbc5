"""Classifying a very large file: time, and peak memory of `terrafine predict`, and of the server if that does it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import rasterio

from terrafine.server.bench.memory import children, resident_gb
from terrafine.server.bench.place import place
from terrafine.server.demo import scene, source
from terrafine.shared.errors import TerrafineError
from terrafine.shared.spec import PLAIN

SCENE_PX = 1536
LOOK_S = 0.5


@dataclass(frozen=True)
class RasterFigures:
    """Classifying one file: seconds, peak memory in GB (10⁹ bytes), and what came out.

    server_gb  of the server's processes together, where one did the work; else 0
    """

    size_px: int
    seconds: float
    peak_gb: float
    server_gb: float
    tiled: bool
    compression: str
    overviews: Sequence[int]
    output_mb: float


def measure_raster(
    folder: Path, model: str, models: Path | None, size_px: int, device: str, detail: str = PLAIN,
    at_server: bool = False,
) -> RasterFigures:  # fmt: skip
    """Write an RGB raster of `size_px` pixels a side and classify it with `terrafine predict`, in that detail.

    at_server  have a server do it, which reads the file where it lies
    """
    raster, result = folder / "large.tif", folder / "map.tif"
    write_large(raster, size_px)
    strangers = children()
    command = [sys.executable, "-m", "terrafine.server.cli", "predict", str(raster), str(result)]
    command += ["--model", model, "--detail", detail]
    with _served(folder, models, device) if at_server else nullcontext(_here(models, device)) as where:
        started = time.perf_counter()
        peak_gb, server_gb = _run_and_watch([*command, *where], strangers)
        seconds = time.perf_counter() - started
    with rasterio.open(result) as dataset:
        return RasterFigures(
            size_px, seconds, peak_gb, server_gb, dataset.profile["tiled"], dataset.compression.value,
            dataset.overviews(1), result.stat().st_size / 1e6,
        )  # fmt: skip


def _here(models: Path | None, device: str) -> list[str]:
    return [*(["--models", str(models)] if models else []), *(["--device", device] if device else [])]


@contextmanager
def _served(folder: Path, models: Path | None, device: str) -> Iterator[list[str]]:
    """A server that sees the folder; yields how `terrafine predict` reaches it."""
    with tempfile.TemporaryDirectory(prefix="terrafine-bench-") as temporary:
        own = Path(temporary)
        with place(own, models, device, more=["--data-root", str(folder)]) as server:
            keys = ["--server-key", str(own / "keys" / "server.pub"), "--key", str(own / "client-0.key")]
            yield ["--server", server.address, *keys]


def _run_and_watch(command: Sequence[str], strangers: Set[int]) -> tuple[float, float]:
    """Run a process to its end; returns the most memory that it held, and that those beside it held, in GB.

    strangers  processes that have no part in it
    """
    try:
        import resource
    except ImportError as error:
        raise TerrafineError("Peak memory can be measured on Linux and macOS only.") from error
    others_gb = 0.0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            others_gb = max(others_gb, resident_gb(children() - strangers - {process.pid}))
            time.sleep(LOOK_S)
    if process.returncode != 0:
        raise TerrafineError(f"'{' '.join(command)}' failed.")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e9, others_gb


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
