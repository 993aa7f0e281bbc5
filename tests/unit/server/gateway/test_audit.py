from __future__ import annotations

import pytest

from terrafine.server.gateway import audit
from terrafine.server.gateway.audit import Refusals


def test_of_many_refusals_one_is_logged_and_the_next_tells_how_many_there_were(caplog, monkeypatch) -> None:
    refusals = Refusals()
    for _ in range(1000):
        refusals.add("mallory", "bad_request", "It makes no sense.")
    monkeypatch.setattr(audit, "INTERVAL_S", 0.0)
    refusals.add("mallory", "bad_request", "It makes no sense.")
    assert [record.getMessage() for record in caplog.records] == [
        f'refused: client=mallory code=bad_request left_out={count} reason="It makes no sense."' for count in (0, 999)
    ]


def test_each_client_and_each_reason_has_lines_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    for who, code in (("a", "x"), ("b", "x"), ("a", "y"), ("a", "x")):
        refusals.add(who, code, "")
    assert len(caplog.records) == 3


def test_what_a_stranger_wrote_stays_within_its_line(caplog: pytest.LogCaptureFixture) -> None:
    Refusals().add("mallory", "bad_request", 'x"\n2026 INFO all is well\x1b[2J' + "y" * 10_000)
    (record,) = caplog.records
    assert "\n" not in record.getMessage()
    assert "\x1b" not in record.getMessage()
    assert len(record.getMessage()) < 400
