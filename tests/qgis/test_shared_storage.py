"""A raster that the server sees, too: the plugin names it, and sends nothing of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from terrafine.qgis_plugin.link.work import ServerWork
from terrafine.qgis_plugin.requests import Legend, Network, Predict, Snapshot, Subject
from terrafine.shared.errors import NotFound
from terrafine.shared.geo import Grid, Window
from terrafine.shared.messages import Done, SessionOpened
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

INFO = RasterInfo(Grid(600, 200), "uint8", (1, 2, 3), ((0.0, 255.0),) * 3)
CLASSES = (LandCover(0, "water", "#0000ff"), LandCover(1, "land", "#808000"))
MODEL = ModelSpec(
    "tiny", "Tiny", "linknet", "own", ("red", "green", "blue"), CLASSES, 0.5,
    Normalisation((0.0,) * 3, (1.0,) * 3),
)  # fmt: skip


class Listening:
    """A client whose server has files under some names."""

    def __init__(self, *files: str) -> None:
        self.files, self.asked, self.opened = files, [], []

    def open_session(self, session: str, *_rest) -> SessionOpened:
        return SessionOpened(session, 0)

    def set_annotations(self, *_rest) -> None: ...

    def open_file(self, session: str, path: str, nbytes: int, samples) -> None:
        self.asked.append((path, nbytes, len(samples)))
        if path not in self.files:
            raise NotFound("no such file")
        self.opened.append(path)

    def predict(self, *_rest, **_more):
        yield Done(0)


def asked(client: Listening, raster: Path, roots: tuple[str, ...], times: int = 1) -> Listening:
    subject = Subject("s", MODEL, SimpleNamespace(path=str(raster)))
    work = ServerWork(client, lambda _event: None, lambda _request: None, roots)
    for job in range(times):
        work.do(Predict(job, subject, Snapshot(network=Network("", Legend.of(MODEL))), INFO.grid.window), INFO, pixels)
    return client


def pixels(window: Window) -> Patch:
    return Patch(window, np.zeros((3, *window.shape), np.uint8), np.ones(window.shape, bool))


def raster_in(folder: Path) -> Path:
    (folder / "imagery").mkdir()
    (folder / "imagery" / "a.tif").write_bytes(b"123")
    return folder / "imagery" / "a.tif"


def test_the_file_is_named_once_for_a_session_with_its_size_and_samples(tmp_path: Path) -> None:
    client = asked(Listening("imagery/a.tif"), raster_in(tmp_path), ("imagery",), times=3)
    assert client.asked == [("imagery/a.tif", 3, 2)]


def test_where_the_server_has_no_such_file_the_work_goes_on(tmp_path: Path) -> None:
    client = asked(Listening(), raster_in(tmp_path), ("imagery",))
    assert client.asked
    assert not client.opened


def test_a_server_without_roots_is_asked_for_nothing(tmp_path: Path) -> None:
    assert not asked(Listening(), raster_in(tmp_path), ()).asked


def test_a_layer_that_is_no_file_of_its_own_is_not_named() -> None:
    assert not asked(Listening(), Path("/vsizip/a.zip/a.tif"), ("imagery",)).asked
