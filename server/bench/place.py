"""Where `terrafine bench` measures: a server process of its own that encrypts, and clients that it lets in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from terrafine.server.demo.live import local_server
from terrafine.server.gateway import keys
from terrafine.shared.client import Client
from terrafine.shared.transport import ClientKeys, ZmqTransport, new_secret_key, public_key


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
def place(folder: Path, models: Optional[Path], device: str, clients: int = 1) -> Iterator[Place]:
    """A `terrafine serve` with CURVE on this computer; its log and its keys go to `folder`."""
    server = keys.write_pair(folder / "keys" / "server")
    admitted = []
    for number in range(clients):
        secret = new_secret_key()
        keys.ClientList(folder / "keys").add(f"client-{number}", public_key(secret))
        admitted.append(ClientKeys(server, secret))
    options = ["--keys", str(folder / "keys"), *(["--device", device] if device else [])]
    with local_server(folder / "server.log", models, options) as address:
        yield Place(address, tuple(admitted))
