"""`terrafine bench faults` kills what it measures, and says what that cost."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from terrafine.server.bench import faults
from terrafine.server.cli import main


@pytest.mark.skipif(sys.platform != "linux", reason="kills processes as Linux does")
def test_each_fault_is_recovered_from_and_its_time_told(models: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(faults, "STAGES", {"refined": faults.STAGES["refined"], "learnt": faults.STAGES["learnt"]})
    line = ["bench", "faults", "--model", "tiny", "--models", str(models), "--size", "300", "--folder", str(tmp_path)]
    assert main([*line, "--json", str(tmp_path / "faults.json")]) == 0
    measured = json.loads((tmp_path / "faults.json").read_text())
    assert [one["fault"].split(" ")[0] for one in measured] == ["engine", "engine", "connection", "server"]
    assert all(one["recovery_s"] > 0 for one in measured)
    assert {(one["revisions_lost"], one["wrong_px"]) for one in measured} == {(0, 0)}
    assert "engine killed while it learnt" in capsys.readouterr().out
