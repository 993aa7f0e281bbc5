"""docs/protocol.md and the code say the same."""

from __future__ import annotations

import collections.abc
import dataclasses
import re
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from terrafine.shared import wire
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.errors import BY_CODE
from terrafine.shared.geo import Grid, Window
from terrafine.shared.learning import LearnOptions, RankedPatch, RankOptions
from terrafine.shared.messages import (
    PROTOCOL_VERSION,
    STREAMED,
    UPLOAD_BLOCK_PX,
    AnnotationsChanged,
    ChangeAnnotations,
    Ping,
    PixelsStored,
    Pong,
    PutPixels,
    Reply,
    Request,
)
from terrafine.shared.objects import ObjectGuide
from terrafine.shared.patch import Patch, digest
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import EncodingSpec, LandCover, ModelSpec, Normalisation

DOCUMENT = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
REQUESTS, REPLIES = get_args(Request), get_args(Reply)
VALUES = (
    Window, Patch, Annotation, Delta, RasterInfo, Grid, ModelSpec, LandCover, Normalisation, EncodingSpec, LearnOptions,
    RankOptions, RankedPatch, ObjectGuide,
)  # fmt: skip
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", np.ndarray: "buffer"}
CLICK = Delta(0, 1, (Annotation("m1", "point", ((12.5, 7.5),), 3),))
TWO_PIXELS = Patch(Window(512, 0, 2, 1), np.array([[[7, -2]]], np.int16), np.array([[True, False]]))
EXAMPLES = [
    ("1", Ping()),
    ("1", Pong(busy=False, seconds={"total": 0.0001})),
    ("2", ChangeAnnotations("demo", CLICK)),
    ("2", AnnotationsChanged(1, Window(4, 0, 17, 16), {"total": 0.0003})),
    ("3", PutPixels("demo", TWO_PIXELS)),
    ("3", PixelsStored(Window(512, 0, 2, 1), {"total": 0.0002})),
]


def section(title: str) -> str:
    """The text below a heading, up to the next heading of any level."""
    match = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert match, f"docs/protocol.md has no section {title!r}"
    return match.group(1)


def table(title: str) -> dict[str, list[str]]:
    """The first table below a heading: the key in the first column → the other columns."""
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", section(title), re.MULTILINE)
    return {key: [cell.strip() for cell in rest.split("|")] for key, rest in rows}


def in_words(kind: Any) -> str:
    """A type hint as the document writes it."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Union and type(None) in inner:
        return f"{in_words(inner[0])} or null"
    if origin is Union:
        return ", ".join(map(in_words, inner[:-1])) + f" or {in_words(inner[-1])}"
    if origin is tuple and inner[-1] is Ellipsis:
        return f"array of {in_words(inner[0])}"
    if origin is tuple:
        return f"array of {len(inner)} {in_words(inner[0])}"
    if origin in (dict, collections.abc.Mapping):
        return f"object of {in_words(inner[1])}"
    return PLAIN.get(kind, kind.__name__)


@pytest.mark.parametrize("kind", [*REQUESTS, *REPLIES, *VALUES], ids=lambda kind: kind.__name__)
def test_every_field_of_every_message_and_value_is_documented_with_its_type(kind):
    title = kind.__name__ if kind in VALUES else f"`{wire.type_name(kind)}`"
    written = {name: cells[0] for name, cells in table(title).items()}
    assert written == {name: in_words(hint) for name, hint in get_type_hints(kind).items()}


@pytest.mark.parametrize("kind", [*REQUESTS, *REPLIES, *VALUES], ids=lambda kind: kind.__name__)
def test_the_document_names_a_default_for_exactly_the_fields_that_have_one(kind):
    title = kind.__name__ if kind in VALUES else f"`{wire.type_name(kind)}`"
    written = {name for name, cells in table(title).items() if "Default" in cells[1]}
    required = {
        item.name
        for item in dataclasses.fields(kind)
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    }
    assert written == {item.name for item in dataclasses.fields(kind)} - required


def test_every_request_has_its_replies():
    rows = table("Requests and replies")
    assert list(rows) == [wire.type_name(kind) for kind in REQUESTS]
    streamed = set(re.findall(r"`(\w+)`", " ".join(before for before, _ in rows.values())))
    final = set(re.findall(r"`(\w+)`", " ".join(end for _, end in rows.values())))
    assert streamed == {wire.type_name(kind) for kind in STREAMED}
    assert final | streamed | {"failed"} == {wire.type_name(kind) for kind in REPLIES}


def test_every_error_code_is_documented():
    assert set(table("Errors")) == set(BY_CODE)


def test_the_limits_are_those_of_the_code():
    assert {name: int(cells[0]) for name, cells in table("Limits").items()} == wire.LIMITS


def test_the_header_and_the_dtypes_are_those_of_the_code():
    keys = table("Frames")
    assert set(keys) == {"protocol", "type", "id", "fields", "buffers", "dtype", "shape", "compression"}
    assert re.findall(r"`(\w+)`", keys["dtype"][1]) == list(wire.BUFFER_DTYPES)


def test_the_version_and_the_upload_block_are_those_of_the_code():
    assert f"Version {PROTOCOL_VERSION}." in DOCUMENT
    assert f"{UPLOAD_BLOCK_PX} × {UPLOAD_BLOCK_PX} pixels" in section("Pixels")


def test_the_digest_of_the_example_is_that_of_the_code():
    assert f"`{digest(TWO_PIXELS)}`" in section("Pixels")


def test_the_worked_example_is_what_the_code_packs():
    texts = re.findall(r"```json\n(.*?)\n```", section("A worked example"), re.DOTALL)
    frames = [bytes.fromhex(block) for block in re.findall(r"```hex\n(.*?)```", section("A worked example"), re.DOTALL)]
    assert [text.encode() for text in texts] == [frame for frame in frames if frame.startswith(b"{")]
    assert frames == [frame for request_id, message in EXAMPLES for frame in wire.pack(message, request_id)]


def test_the_worked_example_unpacks_to_what_it_says():
    frames = [bytes.fromhex(block) for block in re.findall(r"```hex\n(.*?)```", section("A worked example"), re.DOTALL)]
    assert [wire.unpack([frame]) for frame in frames[:4]] == EXAMPLES[:4]
    patch = wire.unpack(frames[4:7])[1].patch
    assert patch.window == TWO_PIXELS.window
    assert (patch.array.tolist(), patch.valid.tolist()) == ([[[7, -2]]], [[True, False]])
