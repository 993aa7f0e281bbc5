"""Small wheels, and an index that hands them out: stand-ins for PyTorch and the server, which have gigabytes."""

from __future__ import annotations

import http.server
import threading
import time
import zipfile
from pathlib import Path
from typing import Sequence

from terrafine.qgis_plugin.setup.place import version

MODELS = 'print("tiny  Tiny (red, green, blue, 1 m, 3 classes)")\n'


def wheel(folder: Path, name: str, number: str, files: dict[str, str], needs: Sequence[str] = ()) -> Path:
    """Write a wheel of those files: `name` in the version `number`."""
    info = f"{name}-{number}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}"] + [
        f"Requires-Dist: {need}" for need in needs
    ]
    about = {
        "METADATA": "\n".join(metadata) + "\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    content = {**files, **{f"{info}/{file}": text for file, text in about.items()}}
    record = "".join(f"{file},,\n" for file in (*content, f"{info}/RECORD"))
    path = folder / f"{name}-{number}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, text in {**content, f"{info}/RECORD": record}.items():
            archive.writestr(file, text)
    return path


def torch(folder: Path, code: str = "") -> Path:
    """Something called torch, with this code and some hundred kilobytes that do not compress."""
    noise = "".join(f"# {hash((i, 'noise')):x}\n" for i in range(20_000))
    return wheel(folder, "torch", "2.9.0", {"torch/__init__.py": code + noise})


def server(folder: Path, models: str = MODELS) -> Path:
    """Something called terrafine, whose command `models` runs `models`."""
    files = {f"terrafine/{part}__init__.py": "" for part in ("", "server/", "server/cli/")}
    return wheel(folder, "terrafine", version(), {**files, "terrafine/server/cli/__main__.py": models}, ["torch>=2.2"])


class SlowIndex:
    """Hands out the files of a folder, wheels byte by byte, so that there is time to see it and to cancel."""

    def __init__(self, folder: Path) -> None:
        self.asked = threading.Event()  # for a wheel
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler(folder))
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self, folder: Path) -> type:
        asked = self.asked

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *given) -> None:
                super().__init__(*given, directory=str(folder))

            def copyfile(self, source, outputfile) -> None:
                if not self.path.endswith(".whl"):
                    super().copyfile(source, outputfile)
                    return
                asked.set()
                while chunk := source.read(2000):
                    outputfile.write(chunk)
                    time.sleep(0.1)

            def log_message(self, *_given) -> None:
                pass

        return Handler
