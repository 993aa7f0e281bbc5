"""The processes of `terrafine serve` and `terrafine predict`: how they start and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from terrafine.server.cli import main
from terrafine.shared.client import Client
from terrafine.shared.transport import ZmqTransport


def test_the_server_ends_with_its_starter(start_server) -> None:
    process = start_server("--exit-with-stdin")
    assert json.loads(process.stdout.readline())["pid"] == process.pid
    process.stdin.close()
    assert process.wait(60) == 0


@pytest.fixture
def _ctrl_c_counts() -> Iterator[None]:
    """Children inherit what a shell set for jobs in the background: that Ctrl-C is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
@pytest.mark.usefixtures("_ctrl_c_counts")
def test_a_signal_ends_the_server(start_server, number: int, code: int) -> None:
    process = start_server()
    process.stdout.readline()
    process.send_signal(number)
    assert process.wait(60) == code


def test_the_address_can_be_announced_in_a_file(start_server, tmp_path: Path) -> None:
    process = start_server("--exit-with-stdin", "--announce", str(tmp_path / "address.json"))
    while not (tmp_path / "address.json").exists():
        assert process.poll() is None, "it ended without a word"
        time.sleep(0.05)
    client = Client(ZmqTransport(json.loads((tmp_path / "address.json").read_text())["address"]))
    assert "tiny" in [spec.name for spec in client.models()]
    client.close()
    process.stdin.close()
    assert process.wait(60) == 0


def test_a_server_that_cannot_announce_itself_ends_with_a_message(start_server, tmp_path: Path) -> None:
    process = start_server("--announce", str(tmp_path / "nix" / "address.json"), stderr=subprocess.PIPE)
    errors = process.communicate()[1]
    assert process.returncode == 1
    assert "nix" in errors
    assert "Traceback" not in errors


def test_a_port_that_is_taken_is_said_so(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", address.rpartition(":")[2]]) == 2
    assert "--port" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("_ctrl_c_counts")
def test_an_interrupted_predict_leaves_no_map_and_no_draft(models: Path, write, tmp_path: Path, number: int) -> None:
    path = write(tmp_path / "large.tif", np.zeros((3, 3000, 3000), np.uint8), compress="deflate")
    line = [
        sys.executable,
        "-m",
        "terrafine.server.cli",
        "predict",
        str(path),
        str(tmp_path / "map.tif"),
        "--model",
        "tiny",
        "--models",
        str(models),
    ]
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(".terrafine-*")):  # the draft's folder
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(number)
    assert process.wait(60) == 130
    assert {item.name for item in tmp_path.iterdir()} <= {"large.tif", "map.tif.part"}


def test_metrics_count_what_clients_asked_for(start_server) -> None:
    process = start_server("--exit-with-stdin", "--metrics", "0", stderr=subprocess.PIPE)
    client = Client(ZmqTransport(json.loads(process.stdout.readline())["address"]))
    client.models()
    client.models()
    line = next(line for line in process.stderr if "metrics at" in line)
    with urllib.request.urlopen(line.rpartition(" ")[2].strip(), timeout=20) as answer:
        text = answer.read().decode()
    client.close()
    process.stdin.close()
    assert process.wait(60) == 0
    assert 'terrafine_requests_total{outcome="ok",type="list_models"} 2.0' in text
    assert "terrafine_sessions 0.0" in text
    assert "terrafine_features_cache_bytes 0.0" in text
