"""terrafine status: what a running server is doing."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from terrafine.server.gateway.admin import ask

HELP = """\
Ask a server what it is doing. It answers at once, however busy its engine is.

examples:
  terrafine status --state-dir /var/lib/terrafine/state
  terrafine status --state-dir /var/lib/terrafine/state --json

--state-dir names the folder of `terrafine serve --state-dir`; only the server's account and root may read it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state-dir", type=Path, required=True, metavar="DIR", help="the server's state folder")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(arguments: argparse.Namespace) -> int:
    status = ask(arguments.state_dir, "status")
    print(json.dumps(status, indent=2) if arguments.json else table(status))
    return 0


def table(status: dict[str, Any]) -> str:
    engine = status["engine"]
    lines = [
        f"{status['server']} at {status['address']}, up {_span(status['uptime_s'])}",
        f"  engine    {engine['state']}" + _place(engine),
        f"  recovery  {'-' if engine['recovery_s'] is None else str(engine['recovery_s']) + ' s, the last time'}",
        f"  memory    {_megabytes(engine['figures'].get('engine_resident_bytes', 0))}",
        f"  sessions  {engine['figures'].get('sessions', 0)} open",
        f"  waiting   {sum(status['waiting'].values())} requests",
    ]
    lines += [
        f"  engine    {each['device']} on {each['host']}, {each['figures'].get('sessions', 0)} sessions open"
        + (", leaves" if each["is_leaving"] else "")
        for each in engine.get("engines", [])
    ]
    heard = sorted(status["clients"].items(), key=lambda item: float(item[1]))
    lines += [
        f"  client    {name}, heard {_span(age)} ago, {status['waiting'].get(name, 0)} wait" for name, age in heard
    ]
    return "\n".join(lines)


def _place(engine: dict[str, Any]) -> str:
    """Where it runs; nothing of one that is not there yet."""
    return f" on {engine['device']}, process {engine['pid']}, start {engine['starts']}" if engine["device"] else ""


def _megabytes(nbytes: float) -> str:
    return f"{nbytes / 1e6:.0f} MB"


def _span(seconds: float) -> str:
    minutes, hours = int(seconds) // 60, int(seconds) // 3600
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min {int(seconds) % 60} s"
