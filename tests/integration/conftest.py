"""The real `terrafine serve` in its own process, and clients that ask it over real ZeroMQ; an untrained network."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
import pytest
import rasterio
import torch
import zmq

from terrafine.models import registry
from terrafine.server.gateway.keys import ClientList, write_pair
from terrafine.server.rasters.raster_io import Raster, open_raster
from terrafine.shared import messages as m
from terrafine.shared import wire
from terrafine.shared.client import Client
from terrafine.shared.geo import Grid, slices
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation
from terrafine.shared.transport import ClientKeys, ZmqTransport, new_secret_key

CLASSES = tuple(LandCover(i, name, f"#0000{i:02x}") for i, name in enumerate(("water", "land", "road")))
SPEC = ModelSpec(
    "tiny",
    "Untrained",
    "linknet",
    "mobilenet_v2_same",
    ("red", "green", "blue"),
    CLASSES,
    0.5,
    Normalisation((0.5,) * 3, (0.25,) * 3),
    tile_px=128,
    overlap_px=32,
)
COMMAND = [sys.executable, "-m", "terrafine.server.cli"]
LARGE = RasterInfo(
    Grid(4096, 4096, gsd_m=0.5), "uint8", (1, 2, 3), ((0.0, 255.0),) * 3, name="large"
)  # minutes of work


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(3)
    network = registry.build(SPEC)
    with torch.no_grad():  # untrained networks answer one class everywhere; this one is torn between all
        network.head.weight.mul_(100)
    registry.save(folder / "tiny", SPEC, network)
    return folder


@pytest.fixture(scope="session")
def address(start_server: Callable[..., subprocess.Popen]) -> Iterator[str]:
    process = start_server("--exit-with-stdin", "--threads", "1")
    yield json.loads(process.stdout.readline())["address"]
    process.stdin.close()
    assert process.wait(60) == 0


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server keeps what analysts save."""
    return tmp_path_factory.mktemp("saved")


@pytest.fixture(scope="session")
def start_server(models: Path, saved: Path) -> Callable[..., subprocess.Popen]:
    """start_server(*words, **for Popen): `terrafine serve` on a free port, which its first line of output tells."""
    line = [*COMMAND, "serve", "--port", "0", "--announce", "-", "--models", str(models), "--save-models", str(saved)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return lambda *words, **more: subprocess.Popen([*line, *words], **pipes, **more)


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    client = Client(ZmqTransport(address))
    yield client
    client.close()


class Wire:
    """A client that asks without waiting for answers."""

    def __init__(self, address: str, keys: Optional[ClientKeys] = None) -> None:
        self.keys = keys
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        if keys is not None:
            self.socket.curve_serverkey = keys.server.encode()
            self.socket.curve_publickey = keys.public.encode()
            self.socket.curve_secretkey = keys.secret.encode()
        self.socket.connect(address)

    def ask(self, request_id: str, message: m.Message) -> None:
        self.socket.send_multipart(wire.pack(message, request_id))

    def reply(self, timeout_s: float = 120.0) -> tuple[str, m.Message]:
        assert self.socket.poll(int(timeout_s * 1000)), "the server does not answer"
        return wire.unpack(self.socket.recv_multipart())

    def last_reply(self, request_id: str) -> m.Message:
        """The reply that ends a request; those to others are passed over."""
        while True:
            got_id, reply = self.reply()
            if got_id == request_id and not isinstance(reply, (m.Progress, m.PatchReady)):
                return reply

    def asked(self, message: m.Message) -> m.Message:
        """The last reply to a message under a new id."""
        request_id = uuid.uuid4().hex
        self.ask(request_id, message)
        return self.last_reply(request_id)

    def close(self) -> None:
        self._context.destroy(linger=0)


@dataclass(frozen=True)
class Vault:
    """A running `terrafine serve --keys --data-root`, the process and the log that it writes.

    root  the folder "imagery" of that server, with a raster of noise in it, scene.tif
    """

    address: str
    public: str
    clients: ClientList
    process: subprocess.Popen
    log: Path
    root: Path

    def let_in(self, name: str) -> ClientKeys:
        """Keys of a client that the server has seen on its list."""
        keys = ClientKeys(self.public, new_secret_key())
        self.clients.add(name, keys.public)
        deadline = time.monotonic() + 60
        while f"added: client={name}" not in self.log.read_text():
            assert time.monotonic() < deadline, "the server does not read its list"
            time.sleep(0.05)
        return keys

    def connect(self, keys: Optional[ClientKeys]) -> Wire:
        return Wire(self.address, keys)

    @contextmanager
    def guest(self, name: str) -> Iterator[Wire]:
        """A client of its own, for one test."""
        name = f"{name}-{uuid.uuid4().hex[:8]}"
        raw = self.connect(self.let_in(name))
        yield raw
        raw.close()
        self.clients.revoke(name)


@pytest.fixture(scope="session")
def vault(start_server: Callable[..., subprocess.Popen], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    folder, root = tmp_path_factory.mktemp("keys"), tmp_path_factory.mktemp("storage") / "imagery"
    root.mkdir()
    _write(root / "scene.tif", np.random.default_rng(0).integers(0, 256, (3, 150, 200), np.uint8))
    public, log = write_pair(folder / "server"), folder / "server.log"
    words = ("--keys", str(folder), "--data-root", str(root), "--exit-with-stdin", "--threads", "1")
    with log.open("wb") as errors:
        process = start_server(*words, stderr=errors)
    yield Vault(json.loads(process.stdout.readline())["address"], public, ClientList(folder), process, log, root)
    process.stdin.close()
    assert process.wait(60) == 0


@pytest.fixture(scope="module")
def guests(vault: Vault) -> Iterator[tuple[Wire, Wire]]:
    with vault.guest("alice") as alice, vault.guest("mallory") as mallory:
        yield alice, mallory


@pytest.fixture
def alice(guests: tuple[Wire, Wire]) -> Iterator[Wire]:
    yield guests[0]
    _close_sessions(guests[0])


@pytest.fixture
def mallory(guests: tuple[Wire, Wire]) -> Iterator[Wire]:
    """One who has a key, and does not mean well."""
    yield guests[1]
    _close_sessions(guests[1])


def _close_sessions(raw: Wire) -> None:
    for name in ("s", "t"):
        raw.asked(m.CloseSession(name))


@pytest.fixture
def connect(address: str) -> Callable[[], Wire]:
    """connect(): a raw connection to the server."""
    return lambda: Wire(address)


@pytest.fixture
def busy(address: str) -> Iterator[tuple[Wire, str]]:
    """A raw client and its session, whose server is at work on the client's request "big"."""
    raw, session = Wire(address), str(uuid.uuid4())
    raw.ask("open", m.OpenSession(session, "tiny", LARGE))
    raw.ask("big", m.Predict(session, LARGE.grid.window))
    missing = raw.last_reply("big")
    for number, window in enumerate(missing.windows):
        pixels = np.zeros((3, *window.shape), np.uint8)  # are packed in no time
        raw.ask(f"put{number}", m.PutPixels(session, Patch(window, pixels, np.ones(window.shape, bool))))
        raw.last_reply(f"put{number}")
    raw.ask("big", m.Predict(session, LARGE.grid.window))
    while not isinstance(raw.reply()[1], m.PatchReady):
        continue
    yield raw, session
    raw.ask("close", m.CloseSession(session))
    raw.last_reply("close")
    raw.close()


def _write(path: Path, image: np.ndarray, **profile: object) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            count=len(image),
            height=image.shape[1],
            width=image.shape[2],
            dtype=image.dtype,
            **profile,
        ) as dataset:
            dataset.write(image)
    return path


def _scene(height: int, width: int) -> np.ndarray:
    """Blocks of colour under noise."""
    rng = np.random.default_rng(height)
    blocks = rng.integers(0, 200, (3, height // 20 + 1, width // 20 + 1))
    return (blocks.repeat(20, 1).repeat(20, 2)[:, :height, :width] + rng.integers(0, 56, (3, height, width))).astype(
        np.uint8
    )


def _mapped(
    client: Client, session: str, raster: Raster, onto: np.ndarray | None = None, since: int | None = None
) -> np.ndarray:
    """The map of a whole raster; with `since`, the changes painted on `onto`."""
    whole = raster.info.grid.window
    out = np.full(whole.shape, 77, np.uint8) if onto is None else onto.copy()
    for item in client.predict(session, whole, raster.read, changed_since=since):
        if isinstance(item, Patch):
            out[slices(item.window, whole)] = item.array[0]
    return out


@pytest.fixture
def raster(tmp_path: Path) -> Iterator[Raster]:
    place = {"crs": "EPSG:32640", "transform": rasterio.Affine(0.5, 0, 350000, 0, -0.5, 2780000)}
    with open_raster(_write(tmp_path / "scene.tif", _scene(300, 620), **place), SPEC) as raster:
        yield raster


@pytest.fixture(scope="session")
def write() -> Callable[..., Path]:
    """write(path, image (bands, rows, columns), **profile)"""
    return _write


@pytest.fixture(scope="session")
def scene() -> Callable[..., np.ndarray]:
    """scene(height, width): uint8 (3, height, width)"""
    return _scene


@pytest.fixture(scope="session")
def mapped() -> Callable[..., np.ndarray]:
    """mapped(client, session, raster, onto=None, since=None)"""
    return _mapped


class Nodes:
    """A Ray cluster of three nodes on this machine, a processor each; `address` and `head`, an id, are its head's."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._small = {"num_cpus": 1, "object_store_memory": 80 << 20}
        self._cluster = Cluster(initialize_head=True, head_node_args={**self._small, "include_dashboard": False})
        self._others: list = []
        self._leaving: list = []
        self.address, self.head = self._cluster.address, self._cluster.head_node.node_id

    def make_whole(self) -> None:
        while self._leaving:
            self._cluster.remove_node(self._leaving.pop(), allow_graceful=False)
        while len(self._others) < 2:
            self._others.append(self._cluster.add_node(**self._small))

    def kill_a_node(self) -> None:
        """With all that runs on it."""
        self._cluster.remove_node(self._others.pop(), allow_graceful=False)

    def drain(self, node: str) -> None:
        """Announce that a node, by its id, leaves in ten minutes."""
        from ray._raylet import GcsClient

        self._leaving += [other for other in self._others if other.node_id == node]
        self._others = [other for other in self._others if other.node_id != node]
        reason = 2  # preemption
        deadline_ms = int(1000 * (time.time() + 600))
        assert GcsClient(address=self.address).drain_node(node, reason, "it leaves", deadline_ms)[0]

    def close(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    pytest.importorskip("ray", reason="needs terrafine[cluster]")
    nodes = Nodes()
    yield nodes
    nodes.close()


@pytest.fixture
def cluster(nodes: Nodes) -> Nodes:
    """All of it, whatever happened before."""
    nodes.make_whole()
    return nodes
