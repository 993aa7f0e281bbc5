"""Servers of other people, in processes of their own."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from pathlib import Path
from typing import Iterator, Optional

from terrafine.shared.transport import new_secret_key, public_key

CLI = ("-m", "terrafine.server.cli")


@contextlib.contextmanager
def served(python: str, models: Path, *options: str, program: tuple[str, ...] = CLI) -> Iterator[str]:
    """The address of a server with a folder of models, for as long as it is needed."""
    command = [python, *program, "serve", "--port", "0", "--announce", "-", "--exit-with-stdin"]
    command += ["--models", str(models), *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        yield json.loads(process.stdout.readline())["address"]
        process.stdin.close()
        process.wait(30)


class Remote:
    """A server as an administrator runs it, with keys and on a port that stays the same."""

    def __init__(self, python: str, models: Path, folder: Path, *options: str) -> None:
        self._python, self._keys = python, folder / "keys"
        self.key = self._run("keygen", str(self._keys / "server")).strip()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self._options = ["--keys", str(self._keys), "--models", str(models), "--port", str(self.port), *options]
        self._process: Optional[subprocess.Popen[str]] = None

    def start(self) -> None:
        pipe, line = subprocess.PIPE, [self._python, *CLI, "serve", "--announce", "-", "--exit-with-stdin"]
        self._process = subprocess.Popen([*line, *self._options], stdin=pipe, stdout=pipe, text=True)
        json.loads(self._process.stdout.readline())

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def allow(self, name: str, key: str) -> None:
        self._run("clients", "add", name, key, "--keys", str(self._keys))

    def _run(self, *words: str) -> str:
        return subprocess.check_output([self._python, *CLI, *words], text=True)


def new_public() -> str:
    return public_key(new_secret_key())
