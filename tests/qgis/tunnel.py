"""A tunnel to a server, as `ssh -L` makes one: one TCP port is all there is. It counts what passes."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Iterator
from urllib.parse import urlsplit

CHUNK = 1 << 16


class Tunnel:
    """sent and received count bytes, as the client sees it."""

    def __init__(self, address: str) -> None:
        self._far = (urlsplit(address).hostname, urlsplit(address).port)
        self._near = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._near.getsockname()[1]}"
        self.sent = self.received = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        self.sent = self.received = 0

    def close(self) -> None:
        self._near.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, far = self._near.accept()[0], socket.create_connection(self._far)
                threading.Thread(target=self._pass, args=(near, far, "sent"), daemon=True).start()
                threading.Thread(target=self._pass, args=(far, near, "received"), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, counter: str) -> None:
        with contextlib.suppress(OSError):  # the other side has gone
            while data := source.recv(CHUNK):
                setattr(self, counter, getattr(self, counter) + len(data))
                target.sendall(data)
        target.close()


@contextlib.contextmanager
def tunnel(address: str) -> Iterator[Tunnel]:
    open_tunnel = Tunnel(address)
    yield open_tunnel
    open_tunnel.close()
