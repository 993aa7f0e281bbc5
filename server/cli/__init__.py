"""The `terrafine` command. One module a subcommand: HELP, add_arguments(parser), run(arguments) → exit code.

Exit codes: 0 done, 1 it failed, 2 it was asked for in a way that makes no sense, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from types import ModuleType
from typing import Optional

from terrafine.server.logs import LogStyle, configure
from terrafine.shared.errors import BadRequest, ConfigError, TerrafineError

# What --help says is here, so that it need not load torch.
COMMANDS = {
    "serve": "run the inference server that QGIS talks to",
    "keygen": "make keys for a server or a client",
    "clients": "say who may use a server that encrypts",
    "status": "ask a running server what it is doing",
    "sessions": "list and end the sessions that a server keeps",
    "predict": "classify a raster file into a GeoTIFF",
    "learn": "retrain a model on marks",
    "uncertainty": "write how unsure a model is, as a raster of its own",
    "rank": "say where to look first: the patches that the model is least sure of",
    "objects": "turn a layer of boxes into the outlines of what is in them",
    "train": "train a network on image and label rasters",
    "evaluate": "measure what clicks gain, with a simulated annotator",
    "noc": "count the clicks that single objects take",
    "study": "repeat a table or a figure of the papers",
    "bench": "measure time and memory",
    "models": "list and describe the models there are",
    "demo": "classify and refine a raster with a scripted analyst, and show the result",
}
# Threads that spin while they wait for each other take ten times as long, and QGIS's time, as soon as anything else
# wants a core; but to sleep between two layers of a network takes a quarter of a click: a few microseconds, then.
# OpenBLAS's always spin, and it shares out the smallest products: what is large here is torch's.
THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "2000", "OPENBLAS_NUM_THREADS": "1"}
log = logging.getLogger(__name__)
FAILED, USAGE, INTERRUPTED = 1, 2, 130


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one subcommand and return its exit code."""
    for name, value in THREADS.items():  # before numpy and torch are loaded
        os.environ.setdefault(name, value)
    words = list(sys.argv[1:] if argv is None else argv)
    arguments, module = _parse(words)
    configure(LogStyle(arguments.verbose, getattr(arguments, "log_json", False)))
    try:
        return int(module.run(arguments))
    except TerrafineError as error:
        _tell(error.message, *([error.hint] if error.hint else []))
        return USAGE if isinstance(error, (ConfigError, BadRequest)) else FAILED
    except OSError as error:  # a file that is missing, in the way or not to be written
        log.debug("", exc_info=True)
        _tell(f"{error.strerror}: '{error.filename}'" if error.filename else str(error))
        return FAILED
    except KeyboardInterrupt:
        print("terrafine: stopped", file=sys.stderr)
        return INTERRUPTED


def _tell(message: str, *more: str) -> None:
    print(f"terrafine: error: {message}", *more, sep="\n", file=sys.stderr)


def _parse(words: list[str]) -> tuple[argparse.Namespace, ModuleType]:
    """Only the module of the subcommand that is asked for is imported: torch takes seconds."""
    parser = argparse.ArgumentParser(
        prog="terrafine",
        description="Correct a land-cover map by pointing at its mistakes.",
        epilog="terrafine COMMAND --help says more about each.",
    )
    parser.add_argument("--version", action="version", version=f"terrafine {metadata.version('terrafine')}")
    parser.add_argument("--verbose", action="store_true", help="log more")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = next((word for word in words if word in COMMANDS), None)
    for name, summary in COMMANDS.items():
        if name == wanted:
            module = importlib.import_module(f"terrafine.server.cli.{name}")
            _add(commands, name, summary, module)
        else:
            commands.add_parser(name, help=summary)
    return parser.parse_args(words), module


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, module: ModuleType
) -> None:
    command = commands.add_parser(
        name, help=summary, description=module.HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.add_arguments(command)
