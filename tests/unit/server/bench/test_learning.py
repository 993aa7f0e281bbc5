"""The bench of learning on small sizes: every item is measured, and the table sets it beside the plain pass."""

from __future__ import annotations

import pytest

from terrafine.models import registry
from terrafine.server.bench import floor
from terrafine.server.bench import learning as bench_learning
from terrafine.server.bench.learning import REFERENCE, LearningFigures
from terrafine.server.bench.tables import learning_table

pytest.importorskip("segmentation_models_pytorch")


def test_every_item_is_measured(tmp_path, spec, monkeypatch):
    for size in ("TILE_PX", "IMAGE_PX"):
        monkeypatch.setattr(bench_learning, size, 128)
    monkeypatch.setattr(bench_learning, "STEPS", 1)
    monkeypatch.setattr(bench_learning, "_peak_gb", lambda folder: 0.5)
    monkeypatch.setattr(floor, "SIDE", 64)
    monkeypatch.setattr(floor, "COPIED", 1 << 16)
    registry.save(tmp_path, spec, registry.build(spec))
    figures = bench_learning.measure(tmp_path, 1)
    assert REFERENCE in figures.seconds
    learnt = {f"learning, {scope}" for scope in ("decoder, 1 steps", "head", "all, 1 steps")}
    assert {"a click", *learnt} <= figures.seconds.keys()
    assert figures.floor > 0
    assert min(figures.seconds.values()) > 0


def test_memory_is_that_of_a_process_of_its_own(tmp_path, spec, monkeypatch):
    monkeypatch.setattr(bench_learning, "IMAGE_PX", 256)
    registry.save(tmp_path, spec, registry.build(spec))
    assert 0.0 < bench_learning._peak_gb(tmp_path) < 4.0


def test_the_table_counts_in_plain_passes():
    seconds = {REFERENCE: 0.4, "a click": 0.06, "image": 4.0, "image with entropy": 4.4}
    text = learning_table(LearningFigures(seconds, 3, 0.02, 0.75, 0.5))
    assert "| a click | 0.060 | 0.15 |" in text
    assert "1.10 times as long" in text
    assert "limit: 0.020 s, 0.05 plain passes" in text
    assert "0.75 GB more" in text
