"""terrafine sessions: what is kept for the clients of a server."""

from __future__ import annotations

import argparse
import json
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from terrafine.server.gateway.admin import ask
from terrafine.server.gateway.keys import ClientList
from terrafine.server.journal.folder import StateFolder
from terrafine.server.journal.lock import Lock
from terrafine.server.journal.session import SessionJournal
from terrafine.shared.errors import ConfigError, ConnectionFailed, NotFound

HELP = """\
List the sessions that a server keeps in its state folder, or end one. It may run or not. No marks and
no pixels are shown.

examples:
  terrafine sessions list --state-dir /var/lib/terrafine/state --keys /etc/terrafine/keys
  terrafine sessions end 3f2a91 --state-dir /var/lib/terrafine/state      the first letters of its id are enough

A session that is ended is opened anew by a client that still works on it: marks are the client's, and none is lost.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state-dir", type=Path, required=True, metavar="DIR", help="the server's state folder")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listed = actions.add_parser("list", parents=[common], help="show what is kept")
    listed.add_argument("--keys", type=Path, metavar="DIR", help="the server's key folder, for the clients' names")
    listed.add_argument("--json", action="store_true", help="print it as JSON")
    end = actions.add_parser("end", parents=[common], help="forget a session")
    end.add_argument("id", metavar="ID")


def run(arguments: argparse.Namespace) -> int:
    if not (arguments.state_dir / "format").is_file():
        raise ConfigError(f"'{arguments.state_dir}' is no state folder.", "Name that of `terrafine serve --state-dir`.")
    journals = StateFolder(arguments.state_dir).look()
    if arguments.action == "end":
        _end(arguments.state_dir, journals, arguments.id)
        return 0
    names = ClientList(arguments.keys).read() if arguments.keys is not None else {}
    found = [_described(journal, names) for journal in journals]
    print(json.dumps(found, indent=2) if arguments.json else "\n".join(map(_line, found)) or "There is no session.")
    return 0


def _end(folder: Path, journals: list[SessionJournal], wanted: str) -> None:
    found = [journal for journal in journals if journal.folder.name.startswith(wanted)]
    if len(found) != 1:
        raise NotFound(f"{len(found)} sessions begin with '{wanted}'.", "terrafine sessions list shows all.")
    state = found[0].state
    try:
        ask(folder, "end_session", client=state.client, session=state.opened.session)
    except ConnectionFailed:
        lock = Lock(folder)  # raises where a server runs after all
        found[0].remove()
        lock.release()


def _described(journal: SessionJournal, names: dict[str, str]) -> dict[str, Any]:
    state = journal.state
    return {
        "id": journal.folder.name[:12],
        "client": names.get(state.client, state.client[:8]),
        "raster": state.opened.raster.name,
        "model": state.opened.model,
        "revision": state.log.revision,
        "marks": len(state.log.marks),
        "blocks": len(state.blocks),
        "weights": len(state.weights),
        "used": datetime.fromtimestamp(journal.used, timezone.utc).isoformat(timespec="minutes"),
        "unused_days": round((time.time() - journal.used) / 86_400, 1),
    }


def _line(found: dict[str, Any]) -> str:
    return (
        f"{found['id']}  {found['client'] or '-':<12} {found['raster'] or '-':<24} {found['model']:<16} "
        f"{found['marks']:>6} marks  {found['blocks']:>6} blocks  used {found['used']}"
    )
