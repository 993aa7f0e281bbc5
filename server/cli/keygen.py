"""terrafine keygen: make a pair of keys."""

from __future__ import annotations

import argparse
from pathlib import Path

from terrafine.server.gateway import keys

HELP = """\
Make keys for a server, or for a client: NAME.key, the secret one, which only its owner may read, and NAME.pub, the
public one, which is also printed.

examples:
  terrafine keygen keys/server              for `terrafine serve --keys keys`
  terrafine keygen alice                    for a client; its public key goes to the server's administrator
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", type=Path, metavar="NAME", help="the files' path, without a suffix")


def run(arguments: argparse.Namespace) -> int:
    print(keys.write_pair(arguments.name))
    return 0
