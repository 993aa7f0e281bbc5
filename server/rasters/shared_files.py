"""Rasters on storage that clients and server share: read where they lie, in folders that the administrator lists.

A client names a file by its root and its path there. What leads out of the root, by ".." or by links, is not found,
like what is not there. Formats are those whose files hold all of a raster: no file is opened that another one names.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Optional

import rasterio

from terrafine.server.rasters import gdal_limits
from terrafine.server.rasters.raster_io import (
    GDAL_ERRORS,
    GDAL_OPTIONS,
    Georeference,
    Raster,
    same_pixels,
    without_georeference_warnings,
)
from terrafine.shared.errors import BadRequest, ConfigError, NotFound, UnusableRaster
from terrafine.shared.geo import Window, contains
from terrafine.shared.messages import MOST_SAMPLES, UPLOAD_BLOCK_PX
from terrafine.shared.patch import Patch, digest
from terrafine.shared.raster import RasterInfo

gdal_limits.apply()
FORMATS = ("GTiff", "JP2OpenJPEG", "PNG", "JPEG")
ALONE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO"}  # no files beside it: masks, overviews
_ELSEWHERE = "Let the pixels be sent, or open the file that lies in the server's folder."


class SharedFile:
    """An open file in a root; a PixelSource for one thread.

    path   as the client named it
    stamp  tells the file from what it may be later
    """

    def __init__(self, path: str, place: Path, raster: Raster) -> None:
        self.path = path
        self.info = raster.info
        self._place, self._raster = place, raster
        self.stamp = _stamp(place)

    @property
    def is_current(self) -> bool:
        """Is the file still what it was when it was opened?"""
        try:
            return _stamp(self._place) == self.stamp
        except OSError:
            return False

    def read(self, window: Window) -> Patch:
        """The pixels of `window`; raises UnusableRaster where the file was changed meanwhile."""
        with rasterio.Env(**GDAL_OPTIONS):
            patch = self._raster.read(window)
        if not self.is_current:
            raise UnusableRaster(f"'{self.path}' was changed while it was read.", "Ask once more.")
        return patch

    def missing(self, _window: Window) -> list[Window]:
        """None: a file has all its pixels."""
        return []

    def check(self, nbytes: int, windows: Sequence[Window], digests: Sequence[str]) -> None:
        """Raises UnusableRaster where the file is another than the client reads, BadRequest where nothing tells."""
        if self._place.stat().st_size != nbytes:
            raise UnusableRaster(f"'{self.path}' has another size on the server.", _ELSEWHERE)
        if not 0 < len(windows) <= MOST_SAMPLES:
            raise BadRequest(f"{len(windows)} blocks prove nothing: between 1 and {MOST_SAMPLES} do.")
        for window, expected in zip(windows, digests):
            if not contains(self.info.grid.window, window) or max(window.shape) > UPLOAD_BLOCK_PX or window.is_empty:
                raise BadRequest(f"{window} is no block of the raster.")
            if digest(self.read(window)) != expected:
                raise UnusableRaster(f"'{self.path}' holds other pixels on the server.", _ELSEWHERE)

    def close(self) -> None:
        self._raster.close()


class DataRoots:
    """The folders that clients may name files in, by name: each folder's own."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        """Raises ConfigError for what is no folder, and for two of one name."""
        for folder in folders:
            if not folder.is_dir():
                raise ConfigError(f"There is no folder '{folder}' of rasters.", "Check --data-root.")
        self._folders = {folder.resolve().name: folder.resolve() for folder in folders}
        if len(self._folders) < len(folders) or "" in self._folders:
            raise ConfigError(
                "Each --data-root needs a name of its own.", "Its last folder's is what clients know it by."
            )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._folders)

    def open(self, path: str, info: RasterInfo) -> SharedFile:
        """The file that a client's `path` names, as the raster that `info` describes.

        Raises NotFound where no root holds it, UnusableRaster where it is another raster.
        """
        place = self._find(path)
        dataset = _opened(place)
        if dataset is None:
            raise UnusableRaster(f"'{path}' is none of {', '.join(FORMATS)}.", _ELSEWHERE)
        if not same_pixels(dataset, info):
            dataset.close()
            raise UnusableRaster(f"'{path}' is of another size or kind on the server.", _ELSEWHERE)
        return SharedFile(path, place, Raster(dataset, info, Georeference(info.grid.transform, (), None)))

    def _find(self, path: str) -> Path:
        root, *parts = path.split("/")
        nothing = NotFound(f"The server has no file '{path[:200]}' that clients may name.", self._hint())
        if root not in self._folders or not parts or not all(map(_is_plain, parts)):
            raise nothing
        try:
            place = self._folders[root].joinpath(*parts).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):  # links in a circle, names that cannot be
            raise nothing from None
        if not place.is_relative_to(self._folders[root]) or not place.is_file():
            raise nothing
        return place

    def _hint(self) -> str:
        if not self._folders:
            return "It was started without --data-root: let the pixels be sent."
        return f"It has {', '.join(self._folders)}; what is not there has to be sent."


def _opened(place: Path) -> Optional[rasterio.DatasetReader]:
    with rasterio.Env(**GDAL_OPTIONS, **ALONE), without_georeference_warnings():
        for name in FORMATS:
            with suppress(*GDAL_ERRORS):
                return rasterio.open(place, driver=name)
    return None


def _is_plain(part: str) -> bool:
    """Is this the name of a file or a folder, and nothing that the system takes for more?"""
    special = "\\\0" if os.name == "posix" else '\\\0:*?"<>|'
    return part not in ("", ".", "..") and not any(character in special for character in part)


def _stamp(place: Path) -> str:
    status = place.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
