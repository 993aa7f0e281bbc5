"""What `terrafine bench` counts, adds up and shows."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
import torch
from torch import nn

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.server.bench import floor, memory, throughput
from terrafine.server.bench.clicks import ClickFigures
from terrafine.server.bench.clients import ClientFigures, CrowdFigures, _summary, in_parts, reached, rise
from terrafine.server.bench.floor import Load, Rates
from terrafine.server.bench.tables import click_table, clients_table, throughput_table
from terrafine.server.cli import main


def crowd(clients: int, p95: float) -> CrowdFigures:
    return CrowdFigures(
        clients, 60.0, 3.0, p95 / 2, p95, p95, 1.2, 4, 1, [], {"ping": (0.004, 0.009)}, [0.5, 0.6, 0.6], -0.014
    )


def test_a_floor_is_the_slower_of_computing_and_reading():
    rates = Rates(flop=100.0, bytes=10.0)
    assert Load(flop=50.0, bytes=1.0).seconds(rates) == pytest.approx(0.5)
    assert Load(flop=50.0, bytes=20.0).seconds(rates) == pytest.approx(2.0)


def test_operations_are_those_of_the_convolutions(spec):
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(3, 5, 3, padding=1)

        def forward(self, image, marks):
            return self.layer(image)

    predictor = Predictor(spec, registry.build(spec))
    predictor._network = One()
    side = spec.tile_px
    load = floor.of_tile(predictor)
    assert load.flop == 2 * side**2 * 5 * 3 * 9
    assert load.bytes == 4 * (5 * 3 * 9 + 5 + 3 * side**2)


def test_the_engine_is_set_beside_the_network_alone(tmp_path, spec, monkeypatch):
    monkeypatch.setattr(floor, "SIDE", 64)
    monkeypatch.setattr(floor, "COPIED", 1 << 16)
    registry.save(tmp_path, spec, registry.build(spec))
    figures = throughput.measure_throughput(tmp_path, "cpu", 130, 1)
    assert figures.tiles == 9
    assert figures.kept == pytest.approx(figures.engine / max(figures.bare.values()))
    assert f"keeps {100 * figures.kept:.0f} %" in throughput_table(figures)


def test_the_slowest_client_is_set_beside_the_fastest():
    done = [ClientFigures([0.1, 0.2, 0.3], 1, 0), ClientFigures([0.5, 0.6], 0, 2, ["gone"])]
    figures = _summary(done, 10.0, {"ping": [0.01, 0.03], "cancel": [0.02]}, [1.0, 1.0, 2.0] * 6)
    assert figures.unfairness == pytest.approx(0.55 / 0.2)
    assert figures.clicks_a_second == pytest.approx(0.5)
    assert (figures.clients, figures.learnt, figures.whole, figures.errors) == (2, 1, 2, ["gone"])
    assert figures.answers == {"ping": pytest.approx((0.02, 0.029)), "cancel": (0.02, 0.02)}
    assert figures.memory_gb == [1.0] * 6


def test_a_client_that_got_no_click_done_is_starved():
    assert math.isinf(_summary([ClientFigures([0.1]), ClientFigures()], 10.0, {}, [1.0] * 18).unfairness)


def test_so_many_clients_are_within_the_target():
    crowds = [crowd(1, 0.1), crowd(2, 0.3), crowd(4, 0.9)]
    assert reached(crowds, 0.5) == 2
    assert reached(crowds, 0.05) == 0
    table = clients_table(crowds, 0.5)
    assert "within 0.5 s for up to 2 clients" in table
    assert "0.50 → 0.60 → 0.60 GB | -1.4 %" in table
    assert "| 4 | 4 / 9 ms |" in table


def test_memory_is_told_for_each_part_whatever_a_single_moment_was_like():
    assert in_parts([1.0, 9.0, 1.0, *[2.0] * 3, 0.0, 3.0, 3.0, *[4.0] * 3, *[5.0] * 3, 6.0, 6.0, 9.0]) == [*range(1, 7)]


def test_a_rise_is_that_of_the_second_half():
    rising = [2.0 + 0.004 * moment for moment in range(50)]
    assert rise([5.0] * 50 + rising) == pytest.approx(0.2 / 2.098)
    assert rise(rising + [3.0] * 50) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_that_of_the_processes_that_were_started():
    code = "block = bytearray(200_000_000); print('ready', flush=True); input()"
    before = memory.children_gb()
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline()
        assert 0.2 < memory.children_gb() - before < 0.4
        child.kill()


def test_stages_of_warm_and_cold_clicks_stand_side_by_side():
    text = click_table(
        ClickFigures(
            512, 1.0, [0.1, 0.3], [0.01, 0.02], [0.5], [], {"decode": 0.03, "total": 0.1}, {"decode": 0.04}, 0.02,
            400, 3e4, 0.1, 0, 0,
        )
    )  # fmt: skip
    assert "| decode | 30.0 ms | 30 % | 40.0 ms |" in text
    assert "limit: 20.0 ms" in text
    assert "| of which not the network, p50 | 15.0 ms |" in text


def test_clicks_beside_others_work_stand_below_those_alone():
    pytest.importorskip("ray", reason="needs terrafine[cluster]")
    from terrafine.server.bench.mixed import ALONE, MixedFigures, table

    figures = MixedFigures({ALONE: [0.1] * 9 + [0.5], "a map": [0.2] * 19 + [1.2]}, {"a map": 3.25})
    assert table(figures).splitlines()[2:] == [
        "| nothing | 0.100 / 0.320 s of 10 | 0.0 |",
        "| a map | 0.200 / 0.250 s of 20 | 3.2 |",
    ]


def test_figures_are_written_as_json_too(tmp_path, spec, monkeypatch, capsys):
    monkeypatch.setattr(floor, "SIDE", 64)
    monkeypatch.setattr(floor, "COPIED", 1 << 16)
    registry.save(tmp_path / "tiny", spec, registry.build(spec))
    file = tmp_path / "figures.json"
    words = ["--model", spec.name, "--models", str(tmp_path), "--device", "cpu", "--size", "70", "--rounds", "1"]
    assert main(["bench", "throughput", *words, "--json", str(file)]) == 0
    assert json.loads(file.read_text("utf-8"))["tiles"] == 4
    assert f"torch {torch.__version__}" in capsys.readouterr().out
