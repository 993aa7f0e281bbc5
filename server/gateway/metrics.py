"""What the server counts, for Prometheus: text over HTTP, on this computer only. Numbers, no names, no pixels.

terrafine_requests_total{type, outcome}    requests by type and by how they ended: "ok" or an error code
terrafine_request_seconds{type}            histogram: from a request's arrival to its last reply
terrafine_stage_seconds_total{stage}       what the time went into (docs/protocol.md, "seconds")
terrafine_refused_total{code}              messages that never became requests
and gauges of what is held and what waits, as `watch` was told, beside prometheus_client's of the process
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from terrafine.shared import messages as m
from terrafine.shared.errors import ConfigError
from terrafine.shared.wire import type_name

if TYPE_CHECKING:
    from prometheus_client.registry import CollectorRegistry

LOOPBACK = "127.0.0.1"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
NO_STAGES = ("total", "queued")


class Metrics:
    """Safe between threads, as prometheus_client's values are. Raises ConfigError where that is not installed."""

    def __init__(self) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
        except ImportError as error:
            raise ConfigError("Metrics need prometheus-client.", "pip install 'terrafine[metrics]'") from error
        self.registry: CollectorRegistry = CollectorRegistry()
        self._gauge = Gauge
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "terrafine_requests", "Requests by how they ended", ["type", "outcome"], registry=self.registry
        )
        self._seconds = Histogram(
            "terrafine_request_seconds", "From arrival to the last reply", ["type"], buckets=BUCKETS,
            registry=self.registry,
        )  # fmt: skip
        self._stages = Counter("terrafine_stage_seconds", "Seconds of each stage", ["stage"], registry=self.registry)
        self._refused = Counter("terrafine_refused", "Messages refused unread", ["code"], registry=self.registry)

    def replied(self, request: m.Message, reply: m.Reply, seconds: float) -> None:
        """Count a request that `reply` ended `seconds` after it came."""
        kind = type_name(type(request))
        self._requests.labels(kind, reply.code if isinstance(reply, m.Failed) else "ok").inc()
        self._seconds.labels(kind).observe(seconds)
        for stage, spent in reply.seconds.items():
            if stage not in NO_STAGES:
                self._stages.labels(stage).inc(max(0.0, spent))

    def refused(self, code: str) -> None:
        """Count a message that could not be understood, or was not allowed."""
        self._refused.labels(code).inc()

    def watch(self, name: str, meaning: str, measure: Callable[[], float]) -> None:
        """A gauge "terrafine_<name>" that asks `measure` whenever somebody looks."""
        self._gauge(f"terrafine_{name}", meaning, registry=self.registry).set_function(measure)

    def serve(self, port: int) -> int:
        """Answer at http://127.0.0.1:<port>/metrics, from a thread of its own; returns the port, which 0 leaves open.

        Raises ConfigError where the port is taken.
        """
        from prometheus_client import start_http_server

        try:
            server, _thread = start_http_server(port, LOOPBACK, self.registry)
        except OSError as error:
            raise ConfigError(f"Port {port} cannot be had for metrics: {error.strerror}.", "Choose another.") from error
        return int(server.server_port)
