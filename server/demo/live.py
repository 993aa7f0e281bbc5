"""The client's side of the demonstration: a real server process, real ZeroMQ, a map that marks refine."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.client import Client, ReadPixels
from terrafine.shared.errors import ConnectionFailed, NotFound
from terrafine.shared.geo import Window, slices
from terrafine.shared.messages import Done, Progress
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import NODATA_CLASS, ModelSpec
from terrafine.shared.transport import ZmqTransport

COMMAND = (sys.executable, "-m", "terrafine.server.cli", "serve", "--port", "0", "--announce", "-", "--exit-with-stdin")
END_TIMEOUT_S = 10.0
Report = Callable[[int, int], None]  # (done, total)


@contextmanager
def local_server(log: Path, models: Optional[Path] = None, more: Sequence[str] = ()) -> Iterator[str]:
    """Run `terrafine serve` as a process of its own, with `more` options; yields its address, ends it afterwards.

    Its log goes to `log`.
    """
    options = [*(["--models", str(models)] if models else []), *more]
    with (
        open(log, "wb") as errors,
        subprocess.Popen([*COMMAND, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        try:
            yield _announced(process, log)
        finally:
            _end(process)


def _announced(process: subprocess.Popen[bytes], log: Path) -> str:
    line = process.stdout.readline() if process.stdout else b""
    if not line:
        raise ConnectionFailed("The server did not start.", f"Its log is in {log}.")
    return str(json.loads(line)["address"])


def _end(process: subprocess.Popen[bytes]) -> None:
    """The server ends when its standard input does."""
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()


@dataclass(frozen=True)
class Click:
    """What one mark cost: seconds from the mark to the last refreshed patch, bytes sent to the server.

    changed  the window that it could change; stages: the server's seconds, by stage of the work
    """

    seconds: float
    bytes_sent: int
    changed: Window
    stages: Mapping[str, float]


class LiveMap:
    """The map of one window, kept as the analyst sees it.

    classes      uint8 (rows, columns), 255 without data
    uncertainty  uint8 (rows, columns), 0 … 254, 255 without data; filled by `classify` alone
    """

    def __init__(self, client: Client, model: str, info: RasterInfo, window: Window, read_pixels: ReadPixels) -> None:
        self._client, self._session, self._read = client, str(uuid.uuid4()), read_pixels
        self._log = AnnotationLog()
        self.window = window
        self.classes: NDArray[np.uint8] = np.full(window.shape, NODATA_CLASS, np.uint8)
        self.uncertainty: NDArray[np.uint8] = self.classes.copy()
        self.warnings = client.open_session(self._session, model, info).warnings

    def classify(self, report: Report) -> float:
        """The first map, with uncertainty; returns the seconds it took, upload included."""
        started = time.perf_counter()
        for item in self._client.predict(self._session, self.window, self._read, uncertainty="entropy"):
            if isinstance(item, Patch):
                where = slices(item.window, self.window)
                self.classes[where], self.uncertainty[where] = item.array
            elif isinstance(item, Progress):
                report(item.done, item.total)
        return time.perf_counter() - started

    def set_marks(self, marks: Sequence[Annotation]) -> None:
        """Hold exactly these marks, before the first map."""
        self._log.replace(marks, len(marks))
        self._client.set_annotations(self._session, marks, len(marks))

    def mark(self, mark: Annotation) -> Click:
        """Place a mark (in pixels of the raster) and refresh what it changes."""
        started, sent = time.perf_counter(), self._client.bytes_sent
        before, stages = self._log.revision, {}
        changed = self._client.change_annotations(self._session, self._log.add(mark)).changed
        for item in self._client.predict(self._session, self.window, self._read, changed_since=before):
            if isinstance(item, Patch):
                self.classes[slices(item.window, self.window)] = item.array[0]
            elif isinstance(item, Done):
                stages = item.seconds
        return Click(time.perf_counter() - started, self._client.bytes_sent - sent, changed, stages)


def connect(address: str) -> Client:
    client = Client(ZmqTransport(address), "terrafine-demo")
    client.hello()
    return client


def choose_model(client: Client, wanted: str) -> ModelSpec:
    """The model of that name, or else the server's first; raises NotFound."""
    known = {spec.name: spec for spec in client.models()}
    if not known:
        raise NotFound("The server has no model.", "Train one (terrafine train) and name its folder with --models.")
    if wanted and wanted not in known:
        raise NotFound(f"There is no model '{wanted}'.", f"There are: {', '.join(known)}.")
    return known[wanted] if wanted else next(iter(known.values()))
