from __future__ import annotations

import socket
import urllib.request

import pytest

from terrafine.server.gateway.metrics import Metrics
from terrafine.shared import messages as m
from terrafine.shared.errors import ConfigError

PING = m.Ping()


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"terrafine_{name}", labels) or 0.0


def test_requests_are_counted_by_type_and_outcome() -> None:
    metrics = Metrics()
    metrics.replied(PING, m.Pong(busy=False), 0.001)
    metrics.replied(PING, m.Pong(busy=False), 0.3)
    metrics.replied(PING, m.Failed("busy", "No."), 0.001)
    assert value(metrics, "requests_total", type="ping", outcome="ok") == 2
    assert value(metrics, "requests_total", type="ping", outcome="busy") == 1
    assert value(metrics, "request_seconds_sum", type="ping") == pytest.approx(0.302)
    assert value(metrics, "request_seconds_bucket", type="ping", le="0.25") == 2


def test_stages_add_up_and_neither_waiting_nor_the_total_is_one() -> None:
    metrics = Metrics()
    for _ in range(2):
        metrics.replied(PING, m.Done(0, {"queued": 9.0, "decode": 0.25, "total": 9.5}), 9.5)
    assert value(metrics, "stage_seconds_total", stage="decode") == 0.5
    assert value(metrics, "stage_seconds_total", stage="total") == 0.0
    assert value(metrics, "stage_seconds_total", stage="queued") == 0.0


def test_refused_messages_are_counted_by_reason() -> None:
    metrics = Metrics()
    metrics.refused("too_large")
    assert value(metrics, "refused_total", code="too_large") == 1


def test_a_gauge_asks_when_somebody_looks() -> None:
    metrics, held = Metrics(), [3.0]
    metrics.watch("sessions", "Sessions held", lambda: held[0])
    assert value(metrics, "sessions") == 3
    held[0] = 5.0
    assert value(metrics, "sessions") == 5


def test_prometheus_reads_them_over_http_on_this_computer() -> None:
    metrics = Metrics()
    metrics.replied(PING, m.Pong(busy=False), 0.001)
    port = metrics.serve(0)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert b'terrafine_requests_total{outcome="ok",type="ping"} 1.0' in answer.read()


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="cannot be had"):
        Metrics().serve(taken.getsockname()[1])
