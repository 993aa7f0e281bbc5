"""What Ray's own interfaces are asked, and what if they are others."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("ray", reason="needs terrafine[cluster]")

from terrafine.server.cluster import link  # noqa: E402


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    context = SimpleNamespace(gcs_address="head:6379")
    monkeypatch.setattr(link, "ray", SimpleNamespace(get_runtime_context=lambda: context))
    link._say_that_nobody_says.cache_clear()


@pytest.mark.parametrize("nodes", [{"0a0b": 17}, {b"\x0a\x0b": 17}])
def test_nodes_that_drain_are_known_by_their_ids(nodes: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = {"head:6379": SimpleNamespace(get_draining_nodes=lambda: nodes)}
    raylet = SimpleNamespace(GcsClient=lambda address: clients[address])
    monkeypatch.setitem(sys.modules, "ray._raylet", raylet)
    assert link.draining() == {"0a0b"}


@pytest.mark.parametrize("raylet", [SimpleNamespace(), SimpleNamespace(GcsClient=lambda address: object())])
def test_a_ray_that_does_not_say_so_is_borne_and_named_once(raylet, monkeypatch, caplog) -> None:
    monkeypatch.setitem(sys.modules, "ray._raylet", raylet)
    assert [link.draining(), link.draining()] == [set(), set()]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
