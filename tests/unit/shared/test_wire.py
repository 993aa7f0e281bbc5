"""What is refused, and what is let through, one case at a time."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest

from terrafine.shared import codec, wire
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.errors import BadRequest, TooLarge, UnsupportedVersion
from terrafine.shared.geo import Grid, Window
from terrafine.shared.messages import (
    ChangeAnnotations,
    Done,
    Failed,
    OpenSession,
    PatchReady,
    Ping,
    Pong,
    Predict,
    PutPixels,
    SessionOpened,
    SetAnnotations,
)
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.tests.unit.shared.drawn_messages import refusal, same


def header(**changes: object) -> bytes:
    """The header of a Pong, changed."""
    document = {"protocol": 1, "type": "pong", "id": "1", "fields": {"busy": False}, "buffers": [], **changes}
    return json.dumps(document).encode()


def pixels(frame: bytes = bytes(4), mask: bytes = b"\1\1\1\1", **changes: object) -> list[bytes]:
    """The frames of a 2 x 2 PatchReady whose array is described with changes."""
    window = {"col": 0, "row": 0, "width": 2, "height": 2}
    described = [{"dtype": "uint8", "shape": [1, 2, 2], "compression": "none", **changes},
                 {"dtype": "bool", "shape": [2, 2], "compression": "none"}]  # fmt: skip
    fields = {"patch": {"window": window, "array": 0, "valid": 1, "revision": 3}}
    return [header(type="patch_ready", fields=fields, buffers=described), frame, mask]


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, "[" * 100_000])
def test_json_that_is_no_finite_value_is_refused(literal):
    document = header(type="done", fields={"revision": 1, "seconds": {"total": "HERE"}})
    assert refusal([document.replace(b'"HERE"', literal.encode())])


@pytest.mark.parametrize("text", [b"\xff\xfe", b"[]", b"null", b'"x"', '{"protocol": 1}'.encode("utf-16")])
def test_a_header_that_is_no_utf8_object_is_refused(text):
    assert refusal([text])


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol": None},
        {"protocol": True},
        {"type": "no_such"},
        {"type": ["pong"]},
        {"id": ""},
        {"id": "a b"},
        {"id": "x" * 65},
        {"id": 7},
        {"fields": []},
        {"fields": {}},
        {"fields": {"busy": 0}},
        {"buffers": {}},
    ],
)
def test_a_header_with_a_wrong_part_is_refused(changes):
    assert refusal([header(**changes)])


def test_fields_of_a_later_version_are_ignored():
    frames = [header(fields={"busy": True, "temperature": 3}, priority=1)]
    assert wire.unpack(frames) == ("1", Pong(busy=True))


def test_a_field_that_is_missing_takes_its_default():
    fields = {"session": "s", "window": {"col": 0, "row": 0, "width": 1, "height": 1}}
    assert wire.unpack([header(type="predict", fields=fields)])[1] == Predict("s", Window(0, 0, 1, 1))


def test_a_field_without_a_default_must_be_there():
    assert "'window' is missing" in str(refusal([header(type="predict", fields={"session": "s"})]))


def test_an_error_names_the_place_in_the_message():
    delta = Delta(0, 1, (Annotation("a", "point", ((1.0, 1.0),), 3),))
    document = json.loads(wire.pack(ChangeAnnotations("s", delta), "1")[0])
    document["fields"]["delta"]["added"][0]["class_id"] = "3"
    assert "delta.added[0].class_id" in str(refusal([json.dumps(document).encode()]))


@pytest.mark.parametrize("digests", [[], ["0" * 63], ["0" * 65], ["F" * 64], ["0" * 63 + "\n"], ["0" * 64] * 2, [0]])
def test_an_offer_has_one_digest_of_64_small_hexadecimal_digits_for_each_window(digests):
    fields = {"session": "s", "windows": [{"col": 0, "row": 0, "width": 1, "height": 1}], "digests": digests}
    assert "digest" in str(refusal([header(type="offer_pixels", fields=fields)]))


def test_another_protocol_version_is_unsupported():
    assert isinstance(refusal([header(protocol=2)]), UnsupportedVersion)


def test_a_failure_can_be_read_in_any_version():
    frames = [header(protocol=2, type="failed", fields={"code": "unsupported_version", "message": "No."})]
    assert wire.unpack(frames)[1] == Failed("unsupported_version", "No.")


def test_the_request_id_is_found_in_a_message_that_cannot_be_unpacked():
    assert wire.request_id_of([header(protocol=9, type="hologram", id="r7")]) == "r7"


@pytest.mark.parametrize("frames", [[], [b"\0"], [b"{}"], [b'{"id": 5}']])
def test_without_a_readable_id_the_request_id_is_empty(frames):
    assert wire.request_id_of(frames) == ""


@pytest.mark.parametrize(
    "frames",
    [
        [header()] + [b""] * wire.MAX_FRAMES,
        [b" " * (wire.MAX_HEADER_BYTES + 1)],
        [header(id="x", type="failed", fields={"code": "busy", "message": "m" * (codec.MAX_STRING + 1)})],
        [header(type="session_opened", fields={"session": "", "revision": 1, "warnings": [""] * 100_001})],
        pixels(shape=[1, 8192, 8193]),
        pixels(shape=[1, 67108864, 67108864]),
    ],
    ids=["frames", "header", "string", "array", "buffer", "huge buffer"],
)
def test_what_is_over_a_limit_is_too_large(frames):
    assert isinstance(refusal(frames), TooLarge)


@pytest.mark.parametrize(
    "message",
    [
        PatchReady(Patch(Window(0, 0, 8192, 8193), np.zeros((1, 8193, 8192), "u1"), np.zeros((8193, 8192), bool))),
        SessionOpened("s", 1, ("x" * 60_000,) * 200),
        Done(1, {"x" * (codec.MAX_STRING + 1): 1.0}),
        Failed("busy", "x" * (codec.MAX_STRING + 1)),
        SetAnnotations("s", (Annotation("a", "point", ((0.0, 0.0),), 1),) * 100_001, 1),
        Done(2**53),
    ],
    ids=["arrays", "header", "key", "string", "marks", "integer"],
)
def test_what_the_other_side_would_refuse_is_not_packed(message):
    with pytest.raises(TooLarge):
        wire.pack(message, "1")


@pytest.mark.parametrize(
    ("message", "request_id"),
    [
        (Done(1, {"read": float("nan")}), "1"),
        (Done(1, {"read": np.float32("inf")}), "1"),
        (PatchReady(Patch(Window(0, 0, 1, 1), np.zeros((1, 1, 1), "i8"), np.ones((1, 1), bool))), "1"),
        (Ping(), "two words"),
    ],
    ids=["not a number", "infinite", "dtype", "id"],
)
def test_what_the_other_side_could_not_read_is_not_packed(message, request_id):
    with pytest.raises(BadRequest):
        wire.pack(message, request_id)


def test_a_small_frame_that_unpacks_to_gigabytes_is_refused_without_unpacking_it():
    bomb = zlib.compress(bytes(2**26), 9)
    assert len(bomb) < 2**17
    assert refusal(pixels(bomb, compression="zlib"))


@pytest.mark.parametrize(
    "frames",
    [
        pixels(bytes(3)),
        pixels(bytes(5)),
        pixels(dtype="object"),
        pixels(dtype="complex64"),
        pixels(shape=[2, 2]),
        pixels(shape=[1, 1, 4]),
        pixels(shape=[1, -2, -2]),
        pixels(shape=[1, 2, 2, 1]),
        pixels(shape=[1.0, 2, 2]),
        pixels(compression="lzma"),
        pixels(compression="zlib"),
        pixels(zlib.compress(bytes(4))[:-1], compression="zlib"),
        pixels(zlib.compress(bytes(4)) + b"more", compression="zlib"),
        pixels(mask=b"\1\1\1\2"),
        pixels()[:2],
        [*pixels(), b""],
    ],
)
def test_a_buffer_that_is_not_what_its_description_says_is_refused(frames):
    assert refusal(frames)


def test_a_buffer_as_described_is_accepted():
    patch = wire.unpack(pixels(zlib.compress(b"\1\2\3\4"), compression="zlib"))[1].patch
    assert patch.array.tolist() == [[[1, 2], [3, 4]]]


def test_frames_may_be_memory_views():
    frames = wire.pack(PatchReady(Patch(Window(0, 0, 2, 1), np.ones((1, 1, 2), "f4"), np.ones((1, 2), bool))), "1")
    assert same(wire.unpack([memoryview(frame) for frame in frames])[1], wire.unpack(frames)[1])


def test_big_endian_and_strided_arrays_arrive_as_they_look():
    values = np.arange(24, dtype=">i2").reshape(1, 4, 6)[:, ::2, ::3]
    got = wire.unpack(wire.pack(PutPixels("s", Patch(Window(0, 0, 2, 2), values, np.ones((2, 2), bool))), "1"))[1]
    assert got.patch.array.tolist() == values.tolist()


def test_flat_pixels_travel_compressed():
    patch = Patch(Window(0, 0, 64, 64), np.zeros((3, 64, 64), "u1"), np.ones((64, 64), bool))
    assert sum(map(len, wire.pack(PutPixels("s", patch), "1"))) < 700


def test_a_click_takes_well_under_a_kilobyte():
    session, mark = "6f1c1d1e-8f0a-4c57-9d4b-0a1b2c3d4e5f", "a9d7f1b2-0c3e-4d5f-8a6b-7c8d9e0f1a2b"
    delta = Delta(41, 42, (Annotation(mark, "point", ((10234.56789, 20456.98765),), 3),))
    frames = wire.pack(ChangeAnnotations(session, delta), "1041")
    frames += wire.pack(Predict(session, Window(8192, 18432, 2048, 2048), 41), "1042")
    assert sum(map(len, frames)) < 600


def test_a_raster_that_makes_no_sense_is_a_bad_request():
    raster = RasterInfo(Grid(4, 4), "uint8", (1,), ((0.0, 255.0),))
    text = wire.pack(OpenSession("s", "m", raster), "1")[0].decode()
    assert refusal([text.replace("uint8", "complex64").encode()])
    assert refusal([text.replace('"width":4', '"width":0').encode()])


def test_half_characters_are_refused_but_a_message_about_them_gets_through():
    assert refusal([header(type="hello", fields={"client": "\ud800"})])
    assert wire.unpack(wire.pack(Failed("busy", "caf\udce9.tif"), "1"))[1].message == "caf?.tif"


def test_numpy_numbers_travel_as_plain_ones():
    assert wire.unpack(wire.pack(Done(np.int64(3), {"total": np.float32(0.5)}), "1"))[1] == Done(3, {"total": 0.5})


def test_a_ping_is_one_small_frame():
    (frame,) = wire.pack(Ping(), "1")
    assert len(frame) < 80


@pytest.mark.parametrize("side", [3, 40])
@pytest.mark.parametrize("hole", [True, False])
def test_masks_arrive_as_they_were(side: int, hole: bool):
    valid = np.ones((side, side), bool)
    valid[1, 2] = not hole
    patch = Patch(Window(0, 0, side, side), np.zeros((1, side, side), np.uint8), valid)
    for _ in range(2):  # what is remembered of one is not another's
        assert np.array_equal(wire.unpack(wire.pack(PatchReady(patch), "1"))[1].patch.valid, valid)
