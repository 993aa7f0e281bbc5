"""What sending pixels costs a map of all of a raster: first sent and then made, or both at once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from terrafine.server.bench.place import place
from terrafine.server.demo import scene
from terrafine.server.demo.live import choose_model
from terrafine.shared.client import Client
from terrafine.shared.geo import Grid, Window, blocks, slices
from terrafine.shared.messages import UPLOAD_BLOCK_PX
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo

SCENE_PX = 1000  # of the drawn scene, which is repeated: no two blocks are the same, for that is no multiple of theirs
RATES_MB_S = (0, 10)  # at which pixels are read; 0: they are at hand


@dataclass(frozen=True)
class UploadFigures:
    """Medians of the rounds, in seconds, by the rate in MB/s at which pixels are read (0: they are at hand).

    sent, made  one after the other: all pixels, a block at a time; and then the map of them
    together    the map of a session that has no pixels yet
    first       of that, until its first patch
    differs     pixels of the maps made either way that are not the same
    """

    size_px: int
    sent: dict[int, float]
    made: dict[int, float]
    together: dict[int, float]
    first: dict[int, float]
    differs: int


@dataclass(frozen=True)
class _Line:
    """Reads an image, uint8 (bands, rows, columns), no faster than a disk, or a line, of so many MB/s."""

    image: NDArray[np.uint8]
    rate_mb_s: int

    def read(self, window: Window) -> Patch:
        array = self.image[:, window.row : window.row_end, window.col : window.col_end]
        if self.rate_mb_s:
            time.sleep(array.nbytes / (self.rate_mb_s * 1e6))
        return Patch(window, array, np.ones(window.shape, bool))


def measure_upload(
    folder: Path, model: str, models: Path | None, size_px: int, device: str, rounds: int
) -> UploadFigures:
    """Either way in each of the rounds, at each rate, so that a busy machine is busy for all."""
    repeats = -(-size_px // SCENE_PX)
    image = np.tile(scene.draw(SCENE_PX).image, (1, repeats, repeats))[:, :size_px, :size_px]
    lines, differs = [_Line(image, rate) for rate in RATES_MB_S], 0
    taken: dict[str, dict[int, list[float]]] = {
        name: {rate: [] for rate in RATES_MB_S} for name in ("sent", "made", "together", "first")
    }
    with place(folder, models, device) as server, closing(server.connect()) as client:
        asked = _Asked(client, choose_model(client, model).name, size_px)
        asked.together(lines[0])  # the first map of a server takes longer
        for _ in tqdm(range(rounds), desc="rounds", disable=None):
            for line in lines:
                after, *one_by_one = asked.one_after_the_other(line)
                both, *at_once = asked.together(line)
                differs += int((after != both).sum())
                for name, seconds in zip(taken, (*one_by_one, *at_once)):
                    taken[name][line.rate_mb_s].append(seconds)
    medians = {
        name: {rate: float(np.median(seconds)) for rate, seconds in by_rate.items()} for name, by_rate in taken.items()
    }
    return UploadFigures(size_px, **medians, differs=differs)


class _Asked:
    """Maps of all of a raster, each of a session of its own."""

    def __init__(self, client: Client, model: str, size_px: int) -> None:
        self._client, self._model = client, model
        self._info = RasterInfo(Grid(size_px, size_px), "uint8", (1, 2, 3), ((0.0, 255.0),) * 3)

    def one_after_the_other(self, line: _Line) -> tuple[NDArray[np.uint8], float, float]:
        """The map, and the seconds that sending took, and making it."""
        with self._session() as session:
            began = time.perf_counter()
            for block in blocks(self._info.grid.window, UPLOAD_BLOCK_PX):
                self._client.put_pixels(session, line.read(block))
            sent = time.perf_counter()
            classes, _ = self._map(session, line)
            return classes, sent - began, time.perf_counter() - sent

    def together(self, line: _Line) -> tuple[NDArray[np.uint8], float, float]:
        """The map, the seconds that it took, and those until its first patch."""
        with self._session() as session:
            began = time.perf_counter()
            classes, first = self._map(session, line)
            return classes, time.perf_counter() - began, first - began

    def _map(self, session: str, line: _Line) -> tuple[NDArray[np.uint8], float]:
        """And when its first patch came."""
        whole, first = self._info.grid.window, 0.0
        classes = np.zeros(whole.shape, np.uint8)
        for item in self._client.predict(session, whole, line.read):
            if isinstance(item, Patch):
                first = first or time.perf_counter()
                classes[slices(item.window, whole)] = item.array[0]
        return classes, first

    @contextmanager
    def _session(self) -> Iterator[str]:
        """One without pixels: closed, the one before has left none."""
        session = str(uuid.uuid4())
        self._client.open_session(session, self._model, self._info)
        yield session
        self._client.close_session(session)
