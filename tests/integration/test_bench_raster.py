"""`terrafine bench raster` on a raster that is not large."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from terrafine.server.bench import raster
from terrafine.server.bench.raster import measure_raster
from terrafine.server.bench.tables import raster_table

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for processes' memory")


@pytest.mark.parametrize("at_server", [False, True])
def test_a_map_is_made_and_the_memory_of_each_side_told(
    models: Path, tmp_path: Path, at_server: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raster, "SCENE_PX", 300)
    figures = measure_raster(tmp_path, "tiny", models, 300, "cpu", at_server=at_server)
    assert (figures.tiled, figures.compression) == (True, "DEFLATE")
    assert figures.peak_gb > 0.05
    assert (figures.server_gb > 0.2) == at_server  # torch alone takes as much
    assert ("of the server" in raster_table(figures)) == at_server
