"""`terrafine bench upload` on a raster that is not large."""

from __future__ import annotations

from pathlib import Path

from terrafine.server.bench import upload
from terrafine.server.bench.tables import upload_table
from terrafine.server.bench.upload import measure_upload


def test_a_map_is_timed_either_way_and_is_the_same(models: Path, tmp_path: Path) -> None:
    figures = measure_upload(tmp_path, "tiny", models, 300, "cpu", rounds=1)
    assert figures.differs == 0
    assert set(figures.together) == set(upload.RATES_MB_S)
    assert figures.sent[10] >= 3 * 300**2 / 10e6
    assert all(0 < figures.first[rate] <= figures.together[rate] for rate in upload.RATES_MB_S)
    assert "at 10 MB/s" in upload_table(figures)
