"""A Ray cluster on this machine: two nodes with a processor each, all of whose processes may use that core alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import terrafine.server.cluster.link  # noqa: F401  which says so where Ray is missing
from terrafine.shared.errors import ConfigError

STORE_BYTES = 256 << 20  # of each node


@contextmanager
def two_nodes() -> Iterator[str]:
    """Yields the address of the head, which is a third node, without processors. Raises ConfigError off Linux."""
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        raise ConfigError("This is measured on Linux, with two cores.")
    from ray.cluster_utils import Cluster

    cores = sorted(os.sched_getaffinity(0))
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES},
    )
    try:
        for core in cores[:2]:
            os.sched_setaffinity(0, {core})  # what is started now inherits it
            cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        os.sched_setaffinity(0, cores)
        yield cluster.address
    finally:
        os.sched_setaffinity(0, cores)
        cluster.shutdown()
