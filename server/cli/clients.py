"""terrafine clients: who may use a server that encrypts."""

from __future__ import annotations

import argparse
from pathlib import Path

from terrafine.server.gateway.keys import ClientList

HELP = """\
Say which clients a server lets in, by their public keys. A running server follows within a second or two.

examples:
  terrafine clients add alice 'rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7'      single quotes: keys hold odd characters
  terrafine clients list
  terrafine clients revoke alice            also ends what she has the server do right now

--keys names the server's key folder, as in `terrafine serve --keys` (default: keys).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--keys", type=Path, default=Path("keys"), metavar="DIR", help="the server's key folder")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", parents=[common], help="let a client in")
    add.add_argument("name", metavar="NAME")
    add.add_argument("key", metavar="PUBLICKEY", help="between single quotes")
    actions.add_parser("list", parents=[common], help="show who is let in")
    revoke = actions.add_parser("revoke", parents=[common], help="let a client in no more")
    revoke.add_argument("name", metavar="NAME")


def run(arguments: argparse.Namespace) -> int:
    clients = ClientList(arguments.keys)
    if arguments.action == "add":
        clients.add(arguments.name, arguments.key)
    elif arguments.action == "revoke":
        clients.revoke(arguments.name)
    else:
        for key, name in sorted(clients.read().items(), key=lambda item: item[1]):
            print(f"{name}  {key}")
    return 0
