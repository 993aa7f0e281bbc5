"""terrafine serve: run the inference server."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from terrafine.server.cli.opening import add_ray
from terrafine.server.logs import LogStyle
from terrafine.server.process.child import EngineOptions
from terrafine.shared.errors import ConfigError

if TYPE_CHECKING:
    from terrafine.server.gateway.metrics import Metrics
    from terrafine.server.gateway.serve import Server
    from terrafine.server.gateway.worker import Engines

HELP = """Run the inference server that QGIS, or any other client of docs/protocol.md, talks to.

It serves programs on this computer only, until Ctrl-C; with keys also those on others, encrypted, for the clients that
`terrafine clients` lets in.

examples:
  terrafine serve
  terrafine serve --host 0.0.0.0 --keys keys                  (docs/security.md says how to make the keys)
  terrafine serve --state-dir state                           (sessions outlive the server; terrafine status, sessions)
  terrafine serve --port 0 --announce - --exit-with-stdin     (as QGIS starts it)
  terrafine serve --models my_models/ --device cpu --threads 4
  terrafine serve --keys keys --warm landcover-rgb            (the first click need not wait for the model)
  terrafine serve --ray auto --state-dir /mnt/shared/state    (all machines of a Ray cluster compute: docs/cluster.md)
  terrafine serve --keys keys --data-root /mnt/imagery        (analysts' rasters that lie there need not travel)
"""
DEFAULT_PORT = 5590
INTERRUPTED = 130  # the exit code after Ctrl-C

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="TCP port; 0 is any free one (default: %(default)s)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--keys", type=Path, metavar="DIR", help="encrypt, with the keys in this folder")
    parser.add_argument("--models", type=Path, action="append", default=[], metavar="DIR", help="more model folders")
    parser.add_argument(
        "--save-models", type=Path, metavar="DIR", help="where analysts' models are kept (default: in the user's data)"
    )
    parser.add_argument(
        "--data-root",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="rasters in this folder are read where they lie, instead of being sent; all clients may name them",
    )
    parser.add_argument("--device", default="", metavar="NAME", help="cpu, cuda or cuda:N (default: cuda if there)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: as many as cores)")
    parser.add_argument(
        "--warm", nargs="+", default=[], metavar="NAME", help="models to load at the start (default: the one used last)"
    )
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="where sessions outlive the server")
    parser.add_argument(
        "--keep-days", type=float, default=30.0, metavar="N", help="that a session lasts unused (default: 30)"
    )
    parser.add_argument(
        "--engine-memory",
        type=float,
        default=0.0,
        metavar="GB",
        help="address space that the engine's process may take; not on Windows (default: no limit)",
    )
    add_ray(parser)
    parser.add_argument(
        "--ray-engines", type=int, default=0, metavar="N", help="on the cluster (default: one a device that is there)"
    )
    parser.add_argument("--metrics", type=int, metavar="PORT", help="numbers for Prometheus, on this computer only")
    parser.add_argument("--log-json", action="store_true", help="log lines of JSON")
    parser.add_argument(
        "--announce", metavar="FILE", help="write the address as one line of JSON; - is standard output"
    )
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input does: with the starter")


def run(arguments: argparse.Namespace) -> int:
    from terrafine.server.gateway.metrics import Metrics
    from terrafine.server.gateway.serve import Server

    metrics = Metrics() if arguments.metrics is not None else None
    options = _options(arguments)
    with _engines(arguments, options) as engines:
        server = Server(
            engines, arguments.host, arguments.port, arguments.keys, metrics, arguments.state_dir, options.root_names
        )
        return _serve(arguments, server, metrics)


@contextmanager
def _engines(arguments: argparse.Namespace, options: EngineOptions) -> Iterator[Engines]:
    """Those of a Ray cluster, or the one in a process of its own."""
    from terrafine.server.process.engine import EngineProcess

    if not arguments.ray:
        yield EngineProcess(options, arguments.state_dir)
        return
    if arguments.state_dir is None:
        raise ConfigError("--ray needs a --state-dir on storage that all nodes share.", "See docs/cluster.md.")
    from terrafine.server.cluster import link
    from terrafine.server.cluster.engines import ClusterEngines

    with link.linked(arguments.ray):
        yield ClusterEngines(options, arguments.state_dir, arguments.ray_engines, arguments.ray_share)


def _serve(arguments: argparse.Namespace, server: Server, metrics: Optional[Metrics]) -> int:
    interrupted = _stop_on_signals(server.stop)
    if arguments.exit_with_stdin:
        threading.Thread(target=_stop_with_stdin, args=(server.stop,), name="stdin", daemon=True).start()
    with closing(server):
        server.start()
        log.info("ready on %s", server.address)
        if metrics is not None:
            log.info("metrics at http://127.0.0.1:%d/metrics", metrics.serve(arguments.metrics))
        if server.guard is not None:
            log.info("this server's public key: %s", server.guard.public)
        if arguments.announce:
            announce(arguments.announce, server.address)
        server.run()
    return INTERRUPTED if interrupted.is_set() else 0


def _options(arguments: argparse.Namespace) -> EngineOptions:
    return EngineOptions(
        models=tuple(arguments.models),
        data_roots=tuple(arguments.data_root),
        device=arguments.device,
        saved_models=arguments.save_models,
        threads=arguments.threads,
        keep_days=arguments.keep_days,
        warm=tuple(arguments.warm),
        memory_bytes=int(arguments.engine_memory * 2**30),
        log=LogStyle(arguments.verbose, arguments.log_json),
    )


def _stop_on_signals(stop: Callable[[], None]) -> threading.Event:
    """Let SIGTERM and Ctrl-C end the server in order, wherever they find it; the event says that it was Ctrl-C.

    Ctrl-C stays ignored where a shell has it so, for jobs in the background.
    """
    interrupted = threading.Event()

    def interrupt(_number: int, _frame: object) -> None:
        interrupted.set()
        stop()

    signal.signal(signal.SIGTERM, lambda _number, _frame: stop())
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)
    return interrupted


def announce(where: str, address: str) -> None:
    """Tell whoever started the server its address; a file appears complete or not at all."""
    line = json.dumps({"address": address, "pid": os.getpid()})
    if where == "-":
        print(line, flush=True)
        return
    target = Path(where)
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    draft.write_text(line + "\n", "utf-8")
    os.replace(draft, target)


def _stop_with_stdin(stop) -> None:  # type: ignore[no-untyped-def]
    # Past sys.stdin's buffer, whose lock would still be held at the interpreter's end.
    while os.read(sys.stdin.fileno(), 4096):
        continue
    stop()
