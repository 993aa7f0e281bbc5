"""A disk that is full, a client that is gone in the middle of sending, an engine that is killed where few look."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from terrafine.server.gateway.admin import ask
from terrafine.shared import messages as m
from terrafine.shared import wire
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.client import Client
from terrafine.shared.errors import EngineRestarted, OutOfMemory
from terrafine.shared.geo import Window
from terrafine.shared.learning import LearnOptions
from terrafine.shared.transport import ZmqTransport

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and processes as Linux has them")
SMALL_FILES = 8 << 10  # bytes
ROOM_BYTES = 48 << 20  # beside what an engine has that has drawn a map
QUICK = LearnOptions("head", steps=2)


def point(number: int) -> Annotation:
    return Annotation(f"mark {number}", "point", ((20.5 + 7 * (number % 80), 30.5 + number % 200),), number % 3)


class Analyst:
    """A session with marks, as the plugin has it."""

    def __init__(self, address: str, raster, mapped) -> None:
        self.client, self.raster, self._mapped = Client(ZmqTransport(address)), raster, mapped
        self.log = AnnotationLog()

    def open(self, session: str = "s") -> int:
        return self.client.open_session(session, "tiny", self.raster.info).revision

    def mark(self, number: int) -> None:
        self.client.change_annotations("s", self.log.add(point(number)))

    def map(self, session: str = "s") -> np.ndarray:
        return self._mapped(self.client, session, self.raster)

    def expected(self) -> np.ndarray:
        """The map of a session that nothing ever happened to."""
        self.open("fresh")
        self.client.set_annotations("fresh", self.log.marks, 1)
        try:
            return self.map("fresh")
        finally:
            self.client.close_session("fresh")


def started(start_server, folder: Path, *words: str, **more) -> tuple[subprocess.Popen, str]:
    process = start_server("--exit-with-stdin", "--threads", "1", "--state-dir", str(folder), *words, **more)
    return process, json.loads(process.stdout.readline())["address"]


def ended(process: subprocess.Popen) -> int:
    process.stdin.close()
    return process.wait(60)


def limit_files() -> None:
    """What is written beyond the limit fails in the middle, as on a disk that fills up."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_FILES, SMALL_FILES))


def test_a_disk_that_fills_up_under_the_journal_stops_no_work_and_leaves_no_half_truth(
    start_server, raster, mapped, tmp_path: Path
) -> None:
    process, address = started(start_server, tmp_path / "state", preexec_fn=limit_files)
    analyst = Analyst(address, raster, mapped)
    analyst.open()
    analyst.map()
    for number in range(120):  # some 200 bytes each: far beyond what the journal's file may take
        analyst.mark(number)
    *_, learnt = analyst.client.learn("s", 120, 121, raster.read, QUICK)  # its weights do not fit either
    analyst.client.use_weights("s", 121, 122, "")
    np.testing.assert_array_equal(analyst.map(), analyst.expected())
    assert not list((tmp_path / "state").glob("sessions/*/journal"))
    assert ended(process) == 0
    process, address = started(start_server, tmp_path / "state")
    again = Analyst(address, raster, mapped)
    assert again.open() == 0
    assert learnt.weights
    assert ended(process) == 0


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB, where one can be had."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "terrafine-test", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_on_a_full_file_system_pixels_stay_in_memory_and_marks_with_the_client(
    start_server, raster, mapped, tiny_disk: Path
) -> None:
    process, address = started(start_server, tiny_disk / "state")
    analyst = Analyst(address, raster, mapped)
    analyst.open()
    analyst.mark(0)
    before = analyst.map()
    (tiny_disk / "filler").write_bytes(b"x" * shutil.disk_usage(tiny_disk).free)
    for number in range(1, 40):
        analyst.mark(number)
    assert not list((tiny_disk / "state").glob("sessions/*/journal"))
    after = analyst.map()
    assert (after != before).any()
    np.testing.assert_array_equal(after, analyst.expected())
    assert ended(process) == 0


def test_a_client_that_is_gone_in_the_middle_of_sending_leaves_what_it_sent(
    start_server, raster, mapped, connect, tmp_path: Path
) -> None:
    process, address = started(start_server, tmp_path / "state")
    analyst = Analyst(address, raster, mapped)
    analyst.open()
    blocks = raster.read(Window(0, 0, 512, 300)), raster.read(Window(512, 0, 108, 300))
    analyst.client.put_pixels("s", blocks[0])
    first, *others = wire.pack(m.PutPixels("s", blocks[1]), "half")
    sender = analyst.client._talk._transport._socket
    sender.send(first, 2)  # zmq.SNDMORE: the message never ends
    analyst.client.close()
    again = Analyst(address, raster, mapped)
    again.open()
    sent = []
    send = again.client._talk.send

    def noted(message: m.Message) -> str:
        sent.append(message)
        return send(message)

    again.client._talk.send = noted
    whole = again.map()
    put = [request.patch.window for request in sent if isinstance(request, m.PutPixels)]
    assert put == [blocks[1].window]
    np.testing.assert_array_equal(whole, again.expected())
    assert ask(tmp_path / "state", "status")["waiting"] == {}
    assert others
    assert ended(process) == 0


WORKS: dict[str, Callable] = {
    "uncertainty": lambda analyst, whole: analyst.client.measure_uncertainty("s", whole, analyst.raster.read),
    "entropy": lambda analyst, whole: analyst.client.predict("s", whole, analyst.raster.read, uncertainty="entropy"),
}
CHANGES: dict[str, Callable] = {
    "a mark": lambda analyst: analyst.mark(7),
    "all marks": lambda analyst: analyst.client.set_annotations("s", analyst.log.marks, analyst.log.revision),
    "a model": lambda analyst: analyst.client.save_model("s", f"m{time.monotonic_ns()}", "M"),
}


@pytest.fixture(scope="module")
def server(start_server, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("state") / "state"
    process, address = started(start_server, folder)
    yield address, folder
    assert ended(process) == 0


@pytest.fixture
def analyst(server, raster, mapped) -> Iterator[Analyst]:
    analyst = Analyst(server[0], raster, mapped)
    analyst.open()
    for number in range(3):
        analyst.mark(number)
    analyst.map()
    yield analyst
    analyst.client.close_session("s")
    analyst.client.close()


def kill(folder: Path) -> None:
    os.kill(ask(folder, "status")["engine"]["pid"], signal.SIGKILL)


@pytest.mark.parametrize("work", WORKS)
def test_killed_at_other_work_it_does_it_again(analyst: Analyst, server, work: str) -> None:
    replies = WORKS[work](analyst, analyst.raster.info.grid.window)
    next(replies)
    kill(server[1])
    with pytest.raises(EngineRestarted):
        list(replies)
    assert list(WORKS[work](analyst, analyst.raster.info.grid.window))
    np.testing.assert_array_equal(analyst.map(), analyst.expected())


@pytest.mark.parametrize("change", CHANGES)
def test_killed_just_before_a_change_no_mark_is_lost_whichever_way_it_went(
    analyst: Analyst, server, change: str
) -> None:
    kill(server[1])
    try:
        CHANGES[change](analyst)
    except EngineRestarted:
        analyst.client.set_annotations("s", analyst.log.marks, analyst.log.revision)
    np.testing.assert_array_equal(analyst.map(), analyst.expected())


def address_space(pid: int) -> int:
    """Bytes that a process has of it, used or not."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmSize"))


def test_an_engine_that_runs_out_of_memory_says_so_and_the_server_lives(
    start_server, raster, mapped, tmp_path: Path
) -> None:
    process, address = started(start_server, tmp_path / "state", "--engine-memory", "1024")
    analyst = Analyst(address, raster, mapped)
    analyst.open()
    analyst.map()
    taken = address_space(ask(tmp_path / "state", "status")["engine"]["pid"])
    assert ended(process) == 0
    words = ("--engine-memory", str((taken + ROOM_BYTES) / 2**30))
    process, address = started(start_server, tmp_path / "state", *words)
    analyst = Analyst(address, raster, mapped)
    analyst.open()
    analyst.mark(0)
    with pytest.raises(
        (OutOfMemory, EngineRestarted)
    ):  # where native code meets the limit, it ends the process at times
        list(analyst.client.learn("s", 1, 2, analyst.raster.read, LearnOptions("all", steps=2)))
    assert analyst.open() == 1
    assert ended(process) == 0
