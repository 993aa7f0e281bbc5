"""Where `terrafine bench` measures: a server process of its own that encrypts, and clients that it lets in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from terrafine.server.demo.live import local_server
from terrafine.server.gateway import keys
from terrafine.shared.client import Client
from terrafine.shared.transport import ClientKeys, ZmqTransport


@dataclass(frozen=True)
class Place:
    """The server's address, and the keys of each client."""

    address: str
    keys: tuple[ClientKeys, ...]

    def connect(self, number: int = 0) -> Client:
        client = Client(ZmqTransport(self.address, self.keys[number]), f"terrafine-bench {number}")
        client.hello()
        return client


@contextmanager
def place(
    folder: Path, models: Optional[Path], device: str, clients: int = 1, more: Sequence[str] = ()
) -> Iterator[Place]:
    """A `terrafine serve` with CURVE on this computer, with `more` options; its log and all keys go to `folder`."""
    server = keys.write_pair(folder / "keys" / "server")
    admitted = []
    for number in range(clients):
        stem = folder / f"client-{number}"
        keys.ClientList(folder / "keys").add(stem.name, keys.write_pair(stem))
        admitted.append(ClientKeys(server, keys.read_secret(stem)))
    options = ["--keys", str(folder / "keys"), *(["--device", device] if device else []), *more]
    with local_server(folder / "server.log", models, options) as address:
        yield Place(address, tuple(admitted))
