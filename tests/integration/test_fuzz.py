"""A client with a key sends whatever it likes: all of it is refused, and the server goes on as if nothing had come.

TERRAFINE_FUZZ=100000 sends so many damaged messages.
"""

from __future__ import annotations

import copy
import json
import os
import random
import socket
import sys
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from terrafine.shared import messages as m
from terrafine.shared import wire
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.geo import Grid, Window
from terrafine.shared.patch import Patch, digest
from terrafine.shared.raster import RasterInfo

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
MESSAGES = int(os.environ.get("TERRAFINE_FUZZ", "3000"))
BATCH = 50
INFO = RasterInfo(Grid(200, 150, gsd_m=0.5), "uint8", (1, 2, 3), ((0.0, 255.0),) * 3, name="small")
BLOCK = Window(0, 0, 200, 150)
PIXELS = Patch(BLOCK, np.random.default_rng(0).integers(0, 256, (3, 150, 200), np.uint8), np.ones((150, 200), bool))
STROKE = Annotation("a", "stroke", ((10.5, 10.5), (60.0, 70.25)), 2, 3.0)
SEEDS = (
    m.Hello("fuzz"),
    m.ListModels(),
    m.OpenSession("s", "tiny", INFO),
    m.OfferPixels("s", (BLOCK,), (digest(PIXELS),)),
    m.OpenFile("s", "imagery/scene.tif", 9, (BLOCK,), (digest(PIXELS),)),
    m.PutPixels("s", PIXELS),
    m.ChangeAnnotations("s", Delta(0, 1, (STROKE,))),
    m.SetAnnotations("s", (STROKE,), 3),
    m.Predict("s", Window(0, 0, 9, 9), 2),
    m.Cancel("7"),
    m.CloseSession("t"),
    m.PatchReady(PIXELS),
    m.Failed("internal", "It was not me."),
)
PACKED = [wire.pack(message, "f") for message in SEEDS]
HOSTILE = (
    *(None, True, -1, 0, 2**53, 10**39, -(2**63), 1e308, -0.0, "", "x" * 70_000, "\ud800", "../../etc/passwd"),
    *("/vsicurl/http://127.0.0.1:1/x.tif", "a\nb", [], {}, [[]] * 1000, {"": {}}, "__class__", 67108864),
)
GROWTH_BYTES = 128 << 20  # of resident memory, while four fifths of the messages came: some fill caches


def test_damaged_messages_leave_the_server_as_it_was(vault, mallory) -> None:
    rng, codes = random.Random(20240607), Counter[str]()
    mallory.asked(m.OpenSession("s", "tiny", INFO))
    mallory.asked(m.PutPixels("s", PIXELS))
    mallory.asked(m.Predict("s", BLOCK))
    began_with = 0
    for number in range(0, MESSAGES, BATCH):
        for _ in range(BATCH):
            mallory.socket.send_multipart(damaged(rng))
        mallory.ask(f"ping{number}", m.Ping())
        codes += heard_until(mallory, f"ping{number}")
        if not began_with and number >= MESSAGES // 5:
            began_with = resident(vault.process.pid)
    assert codes["bad_request"] > MESSAGES // 4
    assert codes["too_large"] > 0
    assert codes["internal"] == 0
    assert resident(vault.process.pid) - began_with < GROWTH_BYTES
    assert vault.log.stat().st_size < 1 << 20
    assert "Traceback" not in vault.log.read_text()
    mallory.asked(m.OpenSession("t", "tiny", INFO))
    mallory.asked(m.PutPixels("t", PIXELS))
    assert isinstance(mallory.asked(m.Predict("t", BLOCK)), m.Done)


def heard_until(raw, request_id: str) -> Counter[str]:
    """The codes of all that was refused before the answer to `request_id`."""
    codes: Counter[str] = Counter()
    while True:
        got, reply = raw.reply()
        codes[getattr(reply, "code", "")] += 1
        if got == request_id:
            return codes


def resident(pid: int) -> int:
    """Bytes of memory of a server and its engine; 0 where /proc is not there to tell."""
    of_threads = Path(f"/proc/{pid}/task").glob("*/children")
    family = [str(pid), *(child for file in of_threads for child in file.read_text().split())]
    statms = [Path(f"/proc/{member}/statm") for member in family]
    return sum(int(statm.read_text().split()[1]) for statm in statms if statm.is_file()) * PAGE_BYTES


def forget_peak(pid: int) -> int:
    """From now on the `peak` is of what comes; returns it."""
    if PAGE_BYTES and Path("/proc/self/clear_refs").is_file():
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak(pid)


def peak(pid: int) -> int:
    """Bytes of memory that a process had at most, if only for a moment; 0 where /proc is not there to tell."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")), 0)


def damaged(rng: random.Random) -> list[bytes]:
    header, *buffers = rng.choice(PACKED)
    frames = [header.replace(b'"id":"f"', b'"id":"f%d"' % rng.randrange(10**9)), *buffers]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        frames = rng.choice((spoilt, spoilt, spoilt, flipped, cut, shuffled))(rng, frames)
    return nested(rng, frames) if rng.random() < 0.1 else frames


def spoilt(rng: random.Random, frames: list[bytes]) -> list[bytes]:
    """One value in the header is another, is gone, or has company."""
    try:
        header = json.loads(frames[0])
    except ValueError:  # damaged before
        return frames
    places = [place for place in _places(header) if place[1] not in ("id", "protocol") or rng.random() < 0.05]
    if not places:
        return frames
    parent, key = rng.choice(places)
    if isinstance(parent, dict) and rng.random() < 0.2:
        del parent[key]
    elif isinstance(parent, list) and rng.random() < 0.2:
        parent.extend(copy.deepcopy(parent) * rng.choice((1, 5)))
    else:
        parent[key] = copy.deepcopy(rng.choice(HOSTILE))
    return [json.dumps(header).encode(), *frames[1:]]


def _places(value: Any) -> list[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in ((value, key), *_places(item))][:500]


def flipped(rng: random.Random, frames: list[bytes]) -> list[bytes]:
    index = rng.randrange(len(frames))
    noisy = bytearray(frames[index])
    for _ in range(rng.randrange(1, 8)):
        if noisy:
            noisy[rng.randrange(len(noisy))] = rng.randrange(256)
    return [*frames[:index], bytes(noisy), *frames[index + 1 :]]


def cut(rng: random.Random, frames: list[bytes]) -> list[bytes]:
    index = rng.randrange(len(frames))
    return [*frames[:index], frames[index][: rng.randrange(len(frames[index]) + 1)], *frames[index + 1 :]]


def shuffled(rng: random.Random, frames: list[bytes]) -> list[bytes]:
    """Frames that come twice, not at all, elsewhere, or with others."""
    chosen = rng.choices(frames, k=rng.randrange(1, 12))
    return chosen if rng.random() < 0.3 else [frames[0], *chosen, rng.randbytes(rng.randrange(100))]


def nested(rng: random.Random, frames: list[bytes]) -> list[bytes]:
    depth = rng.choice((10, 500, 20_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return [
        frames[0].replace(b'"fields":', b'"x":' + opening * depth + b"0" + closing * depth + b',"fields":'),
        *frames[1:],
    ]


# ---- what is built on purpose ----------------------------------------------------------------------------------------


def put(
    shape: list[int], compression: str, frame: bytes, dtype: str = "uint8", more: tuple[bytes, ...] = ()
) -> list[bytes]:
    """A `put_pixels` whose first buffer claims to be what it is not."""
    header = json.loads(wire.pack(m.PutPixels("s", PIXELS), "1")[0])
    mask = zlib.compress(bytes(150 * 200))
    header["buffers"] = [
        {"dtype": dtype, "shape": shape, "compression": compression},
        {"dtype": "bool", "shape": [150, 200], "compression": "zlib"},
    ]
    return [json.dumps(header).encode(), frame, mask, *more]


BOMB = zlib.compress(bytes(200 << 20), 9)  # 200 KB that hold 200 MB
REFUSED = {
    "bomb that claims little": (put([3, 150, 200], "zlib", BOMB), "bad_request"),
    "bomb that claims all": (put([200, 1024, 1024], "zlib", BOMB), "too_large"),
    "claim beyond counting": (put([2**26, 2**26, 2**26], "none", b""), "too_large"),
    "claim that wraps round": (put([2**53 - 1, 2**53 - 1, 2**11], "none", b""), "bad_request"),
    "negative side": (put([-1, 150, 200], "none", b""), "bad_request"),
    "half a buffer": (put([3, 150, 200], "none", b"\0" * 45_000), "bad_request"),
    "half a stream": (put([3, 150, 200], "zlib", zlib.compress(bytes(90_000))[:50]), "bad_request"),
    "stream with an appendix": (put([3, 150, 200], "zlib", zlib.compress(bytes(90_000)) + b"x"), "bad_request"),
    "object dtype": (put([1, 1, 1], "none", b"\0" * 8, dtype="object"), "bad_request"),
    "pickle": (put([1, 1, 1], "none", b"\x80\x04N.", dtype="O"), "bad_request"),
    "frame too many": (put([3, 150, 200], "none", bytes(90_000), more=(b"",)), "bad_request"),
    "header too long": ([wire.pack(m.Ping(), "1")[0][:-1] + b" " * wire.MAX_HEADER_BYTES + b"}"], ""),
    "ten thousand frames": ([wire.pack(m.Ping(), "1")[0], *[b""] * 10_000], ""),
    "number without end": ([b'{"protocol":1,"type":"ping","id":"1","fields":{},"x":' + b"9" * 10**6 + b"}"], ""),
    "error longer than a text may be": (
        [wire.pack(m.Welcome("", "", {"x" * 65_530: 1}), "1")[0].replace(b":1}", b":[]}")],
        "bad_request",
    ),
}


@pytest.mark.parametrize(("frames", "code"), REFUSED.values(), ids=REFUSED)
def test_what_claims_to_be_something_else_is_refused(vault, mallory, frames: list[bytes], code: str) -> None:
    before = forget_peak(vault.process.pid)
    mallory.socket.send_multipart(frames)
    mallory.ask("after", m.Ping())
    replies = [mallory.reply()]
    while replies[-1][0] != "after":
        replies.append(mallory.reply())
    assert [reply.code for _, reply in replies[:-1]] == ([code] if code else [])
    assert peak(vault.process.pid) - before < 2 * wire.MAX_MESSAGE_BYTES


def test_a_frame_beyond_the_limit_ends_its_connection_alone(alice, mallory) -> None:
    alice.asked(m.Ping())
    monitor = mallory.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    mallory.socket.send_multipart([wire.pack(m.Ping(), "1")[0], bytes(wire.MAX_MESSAGE_BYTES + 1)])
    assert monitor.poll(30_000), "the server takes it"
    mallory.socket.disable_monitor()
    assert isinstance(alice.asked(m.Ping()), m.Pong)


def test_strangers_who_say_nothing_are_shown_out_and_keep_nobody_waiting(vault, alice) -> None:
    host, port = vault.address.removeprefix("tcp://").split(":")
    silent = [socket.create_connection((host, int(port)), timeout=20) for _ in range(50)]
    began = time.monotonic()
    assert isinstance(alice.asked(m.Ping()), m.Pong)
    assert time.monotonic() - began < 20  # and not one stranger after the other
    for stranger in silent:
        while stranger.recv(4096):  # a greeting, and then the end
            continue
        stranger.close()


@pytest.mark.skipif(sys.platform != "linux", reason="counts what Linux tells of a process")
def test_strangers_leave_no_open_files_behind(vault, alice) -> None:
    host, port = vault.address.removeprefix("tcp://").split(":")
    files = Path(f"/proc/{vault.process.pid}/fd")
    alice.asked(m.Ping())  # connects in the background
    before = len(list(files.iterdir()))
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"\xff" + b"\0" * 8 + b"\x7f", b"") * 20:
        with socket.create_connection((host, int(port))) as stranger:
            stranger.sendall(garbage)
    deadline = time.monotonic() + 20
    while len(list(files.iterdir())) > before:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert isinstance(alice.asked(m.Ping()), m.Pong)
