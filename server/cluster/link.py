"""The way into a cluster. Ray is imported here and in the modules beside this one, once `--ray` asks for it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from terrafine.shared.errors import ConfigError, ConnectionFailed

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
try:
    import ray
except ImportError as error:
    raise ConfigError("Ray is not installed here.", "Install it: pip install 'terrafine[cluster]'.") from error

NAMESPACE = "terrafine"  # in which the actors of a server are found by programs that did not start them


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
