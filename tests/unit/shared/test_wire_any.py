"""Whatever comes over the wire: any message arrives as it was, and any bytes are answered."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from terrafine.shared import wire
from terrafine.shared.errors import BadRequest
from terrafine.tests.unit.shared.drawn_messages import IDS, JSON, KINDS, MESSAGES, filled, refusal, same


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
