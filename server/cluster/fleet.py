"""The engines of a cluster, one a device: those that a server runs there already, or new ones."""

from __future__ import annotations

import math
import secrets
from pathlib import Path
from typing import Any, Optional

from terrafine.server.cluster.actor import GROUPS, EngineActor
from terrafine.server.cluster.link import ray
from terrafine.server.process.child import EngineOptions
from terrafine.shared.errors import ConfigError

NAME = "engine-"  # what the names of servers' actors begin with


def found() -> list[Any]:
    """Handles of the actors of the servers that run on the cluster; none where there is none."""
    return [ray.get_actor(name) for name in sorted(ray.util.list_named_actors()) if name.startswith(NAME)]


def started(options: EngineOptions, state: Optional[Path] = None, count: int = 0, share: float = 1.0) -> list[Any]:
    """Handles of so many new actors, one for each device there is by default. Those for which there is no device yet
    start when there is one. They end with this process. Those that share a server's `state` are found by others.

    A device is a `share` of a GPU; on a cluster without, the processors of a node, or as many of them as
    `options.threads`.
    """
    devices, needs = _devices(options.threads, share)
    actor = ray.remote(concurrency_groups=GROUPS, max_restarts=-1, scheduling_strategy="SPREAD", **needs)(EngineActor)
    server = f"{NAME}{secrets.token_hex(4)}-"
    names = ({"name": f"{server}{number:04}"} if state is not None else {} for number in range(count or devices))
    return [actor.options(**name).remote(options, state) for name in names]


def _devices(threads: int, share: float) -> tuple[int, dict[str, float]]:
    """How many there are, and what an actor needs of Ray's resources to have one for itself."""
    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = int(sum(own.get("GPU", 0) for own in resources))
    if gpus:
        return int(gpus / share), {"num_gpus": share, "num_cpus": 0}
    cpus = [own["CPU"] for own in resources if own.get("CPU", 0) > 0]
    if not cpus:
        raise ConfigError("The cluster has neither GPUs nor processors for Terrafine.", "Add a node: docs/cluster.md.")
    own_cpus = threads or min(cpus)
    return sum(math.floor(of_node / own_cpus) for of_node in cpus), {"num_cpus": own_cpus}
