"""The way into a cluster. Ray is imported here alone, and only once `--ray` asks for it."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from terrafine.shared.errors import ConfigError, ConnectionFailed

log = logging.getLogger(__name__)
NAMESPACE = "terrafine"  # in which the actors of a server are found by programs that did not start them
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody


def _imported() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise ConfigError("Ray is not installed here.", "Install it: pip install 'terrafine[cluster]'.") from error


ray = _imported()
GONE = (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError)  # the latter: with the node that held a result


@contextmanager
def linked(address: str) -> Iterator[None]:
    """To the cluster at `address`: HOST:PORT of its head, "auto" for the one this computer is a node of, or "local" for
    a new one on this computer alone. Raises ConnectionFailed.
    """
    try:
        ray.init(address=address, namespace=NAMESPACE, logging_level=logging.WARNING, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConnectionFailed(
            f"There is no Ray cluster at '{address}' that this computer is a node of: {error}",
            "Start one: see docs/cluster.md.",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def draining() -> set[str]:
    """The ids of the nodes that are to leave the cluster (`ray drain-node`, a spot machine that is taken back).

    No public function of Ray says so (`ray.nodes` does not); this one is Ray Serve's. None with a Ray that has another.
    """
    try:
        client = importlib.import_module("ray._raylet").GcsClient(address=ray.get_runtime_context().gcs_address)
        nodes = client.get_draining_nodes()
    except (ImportError, AttributeError, TypeError):
        _say_that_nobody_says()
        return set()
    return {node.hex() if isinstance(node, bytes) else str(node) for node in nodes}


@cache
def _say_that_nobody_says() -> None:
    """Once."""
    log.warning("this Ray does not tell which nodes are to leave: sessions move once these are gone")
