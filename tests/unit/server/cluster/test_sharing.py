"""Which maps of sessions the other engines help with."""

from __future__ import annotations

import pytest

pytest.importorskip("ray", reason="needs terrafine[cluster]")

from terrafine.server.cluster.sharing import SharedPredict  # noqa: E402
from terrafine.server.engine import engine  # noqa: E402
from terrafine.server.engine.batches import Wanted  # noqa: E402


def test_a_view_is_made_as_on_one_machine_and_can_share_a_batch_with_others(make_session, noise) -> None:
    def nobody() -> list:
        raise AssertionError("other engines are asked for a view")

    def kinds(steps) -> list[type]:
        session = make_session(noise(130, 130))
        return [type(step) for step in steps(session, session.info.grid.window)]

    assert kinds(SharedPredict(nobody)) == kinds(engine.steps)
    assert Wanted in kinds(engine.steps)
