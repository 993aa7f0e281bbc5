from __future__ import annotations

import dataclasses
import json
import zlib
from typing import get_args

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from terrafine.shared import codec, wire
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.errors import BadRequest, TooLarge, UnsupportedVersion
from terrafine.shared.geo import Grid, Window
from terrafine.shared.learning import MOST_FACTOR, ORDERS, SCOPES, LearnOptions, RankOptions
from terrafine.shared.messages import (
    ChangeAnnotations,
    Done,
    Failed,
    MeasureUncertainty,
    ObjectFound,
    OfferPixels,
    OpenFile,
    OpenSession,
    PatchReady,
    Ping,
    Pong,
    Predict,
    PutPixels,
    Reply,
    Request,
    SessionOpened,
    SetAnnotations,
    SetLegend,
)
from terrafine.shared.objects import LARGEST_BOX_PX, SMALLEST_BOX_PX, ObjectGuide
from terrafine.shared.patch import Patch
from terrafine.shared.raster import DTYPES, RasterInfo
from terrafine.shared.side import SideFields, SideInformation
from terrafine.shared.spec import DETAILS, LandCover, ModelSpec, Normalisation

KINDS = (*get_args(Request), *get_args(Reply))
NUMBERS = st.floats(-1e9, 1e9)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
COUNTS = st.integers(-codec.MAX_INTEGER, codec.MAX_INTEGER)
WINDOWS = st.builds(Window, COUNTS, COUNTS, st.integers(0, 2**31), st.integers(0, 2**31))
VERTICES = st.tuples(NUMBERS, NUMBERS)
MARKS = st.one_of(
    st.builds(Annotation, TEXT, st.just("point"), st.tuples(VERTICES), st.integers(0, 254)),
    st.builds(Annotation, TEXT, st.just("stroke"), st.lists(VERTICES, min_size=1, max_size=4).map(tuple),
              st.integers(0, 254), st.floats(0, 100)),
)  # fmt: skip
SHAPES = st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 5))


DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
OFFERS = st.lists(st.tuples(WINDOWS, DIGESTS), max_size=3).map(
    lambda blocks: OfferPixels("s", tuple(window for window, _ in blocks), tuple(digest for _, digest in blocks))
)


LEGENDS = st.lists(st.tuples(st.builds(LandCover), st.integers(-1, 254)), max_size=3).map(
    lambda entries: SetLegend("s", 0, 1, tuple(entry for entry, _ in entries), tuple(to for _, to in entries))
)


MEASUREMENTS = st.builds(MeasureUncertainty, TEXT, WINDOWS, TEXT, st.integers(1, MOST_FACTOR))
PREDICTIONS = st.builds(Predict, TEXT, WINDOWS, st.none() | COUNTS, st.booleans(), st.sampled_from(DETAILS))
SIDES, PLACES = st.floats(SMALLEST_BOX_PX, LARGEST_BOX_PX / 2, width=32), st.integers(-10_000, 10_000)
BOXES = st.tuples(PLACES, PLACES, SIDES, SIDES).map(lambda b: (float(b[0]), float(b[1]), b[0] + b[2], b[1] + b[3]))
CLICKS = st.lists(VERTICES, max_size=3).map(tuple)
GUIDES = st.builds(ObjectGuide, BOXES, CLICKS, CLICKS)
FOUND = st.tuples(st.integers(0, 5), st.integers(0, 5)).flatmap(
    lambda shape: st.builds(
        ObjectFound, st.builds(Window, COUNTS, COUNTS, st.just(shape[1]), st.just(shape[0])),
        arrays.arrays(np.bool_, shape), CLICKS, NUMBERS, st.dictionaries(TEXT, NUMBERS, max_size=2),
    )
)  # fmt: skip
PARTICULAR = {  # in what they may hold
    OfferPixels: OFFERS, SetLegend: LEGENDS, MeasureUncertainty: MEASUREMENTS, Predict: PREDICTIONS, ObjectFound: FOUND,
    OpenFile: OFFERS.map(lambda offer: OpenFile("s", "a/b.tif", 9, offer.windows, offer.digests)),
}  # fmt: skip


def filled(kind: type) -> st.SearchStrategy:
    """Instances of a dataclass with every field drawn, those with a default included."""
    if kind in PARTICULAR:
        return PARTICULAR[kind]
    return st.builds(kind, **{item.name: ... for item in dataclasses.fields(kind)})


@st.composite
def patches(draw) -> Patch:
    bands, height, width = draw(SHAPES)
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    values = draw(arrays.arrays(dtype, (bands, height, width)))
    window = Window(draw(COUNTS), draw(COUNTS), width, height)
    return Patch(window, values, draw(arrays.arrays(np.bool_, (height, width))), draw(COUNTS))


@st.composite
def side_information(draw) -> SideInformation:
    points, numbers = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    finite = st.floats(-1e6, 1e6, width=32)
    return SideInformation(
        *(draw(arrays.arrays(np.float32, (points, width), elements=finite)) for width in (2, numbers))
    )


RANGE = st.tuples(st.floats(-100, 0), st.floats(1, 100))
COLOURS = st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=3).map(tuple)
KINDS_OF_VALUES = st.tuples(st.sampled_from(DTYPES), st.none()) | st.tuples(st.just("uint8"), COLOURS)
RASTERS = st.tuples(st.integers(1, 4), KINDS_OF_VALUES).flatmap(
    lambda drawn: st.builds(
        RasterInfo,
        grid=st.builds(Grid, st.integers(1, 9), st.integers(1, 9), st.tuples(*[NUMBERS] * 6), TEXT,
                       st.none() | st.floats(0.01, 1e4)),
        dtype=st.just(drawn[1][0]),
        bands=st.tuples(*[st.integers(1, 20)] * drawn[0]),
        ranges=st.tuples(*[RANGE] * drawn[0]),
        palette=st.just(drawn[1][1]),
        name=TEXT,
    )
)  # fmt: skip
SPECS = st.builds(
    ModelSpec,
    name=st.just("tiny-1"),
    bands=st.just(("red",)),
    classes=st.just((LandCover(0, "Wässer", "#0000ff"), LandCover(1, "land", "#00ff00"))),
    gsd_m=st.floats(0.01, 100),
    normalisation=st.just(Normalisation((0.5,), (0.2,))),
    temperature=st.floats(0.1, 10),
    options=st.dictionaries(TEXT, st.one_of(TEXT, COUNTS, NUMBERS, st.booleans()), max_size=3),
    side=st.just(SideFields(("height",), (10.0,), (5.0,))),
)
LEARN_OPTIONS = st.builds(
    LearnOptions, st.sampled_from(SCOPES), st.none() | st.integers(1, 1000), st.none() | st.floats(1e-9, 10),
    st.floats(0, 100),
)  # fmt: skip
RANK_OPTIONS = st.builds(
    RankOptions, st.sampled_from(ORDERS), TEXT, st.integers(16, 4096), st.integers(1, 10_000), COUNTS
)
for known, strategy in {
    str: TEXT, int: COUNTS, float: NUMBERS, Window: WINDOWS, Annotation: MARKS, Patch: patches(), RasterInfo: RASTERS,
    SideInformation: side_information(), ObjectGuide: GUIDES,
    ModelSpec: SPECS, Delta: filled(Delta), LearnOptions: LEARN_OPTIONS, RankOptions: RANK_OPTIONS,
}.items():  # fmt: skip
    st.register_type_strategy(known, strategy)
MESSAGES = st.sampled_from(KINDS).flatmap(filled)
IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=wire.MAX_ID)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def same(a: object, b: object) -> bool:
    """Equality down to dtypes, and to the bits of floats that may be NaN."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and all(
            same(getattr(a, item.name), getattr(b, item.name)) for item in dataclasses.fields(a)
        )
    return type(a) is type(b) and a == b


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


def refusal(frames: list[bytes]) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        wire.unpack(frames)
    return caught.value


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(st.data(), IDS)
def test_unpack_is_the_inverse_of_pack(kind, data, request_id):
    message = data.draw(filled(kind))
    got_id, got = wire.unpack(wire.pack(message, request_id))
    assert got_id == request_id
    assert same(got, message)


@given(st.lists(st.binary(max_size=300), max_size=4))
def test_any_bytes_at_all_give_a_bad_request(frames):
    refusal(frames)


@given(MESSAGES, st.data())
def test_a_message_with_damaged_bytes_gives_a_message_or_a_bad_request(message, data):
    frames = wire.pack(message, "1")
    index = data.draw(st.integers(0, len(frames) - 1))
    assume(frames[index])
    at = data.draw(st.integers(0, len(frames[index]) - 1))
    length = data.draw(st.integers(0, 3))
    frames[index] = frames[index][:at] + data.draw(st.binary(max_size=3)) + frames[index][at + length :]
    try:
        _, got = wire.unpack(frames)
    except BadRequest:
        return
    assert isinstance(got, KINDS)


@given(MESSAGES, JSON, st.data())
def test_a_message_with_any_value_in_any_field_gives_a_message_or_a_bad_request(message, value, data):
    frames = wire.pack(message, "1")
    document = json.loads(frames[0])
    spot = document
    while isinstance(spot, (dict, list)) and spot:
        parent, key = spot, data.draw(st.sampled_from(sorted(spot) if isinstance(spot, dict) else range(len(spot))))
        spot = spot[key]
        if data.draw(st.booleans()):
            break
    parent[key] = value
    try:
        _, got = wire.unpack([json.dumps(document).encode(), *frames[1:]])
    except BadRequest:
        return
    assert isinstance(got, KINDS)


@given(MESSAGES, st.data())
def test_frames_that_are_missing_doubled_or_swapped_never_crash(message, data):
    frames = wire.pack(message, "1")
    picked = data.draw(st.lists(st.sampled_from(frames), max_size=4))
    assume(picked != frames)
    try:
        wire.unpack(picked)
    except BadRequest:
        return
    assert sorted(map(len, picked)) == sorted(map(len, frames))


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
