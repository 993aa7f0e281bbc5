"""What the server's socket takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq

from terrafine.server.gateway import front
from terrafine.server.gateway.auth import Guard
from terrafine.server.gateway.keys import ClientList, write_pair
from terrafine.shared.errors import ConnectionFailed
from terrafine.shared.transport import ClientKeys, ZmqTransport, new_secret_key
from terrafine.shared.wire import MAX_FRAMES


def test_of_a_message_of_too_many_frames_one_too_many_is_kept_and_the_next_message_is_whole() -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as client:
        bound = front.bind(context, "127.0.0.1", 0, None)
        client.connect(bound.getsockopt_string(zmq.LAST_ENDPOINT))
        client.send_multipart([b"long", *[b"x"] * 10_000])
        client.send_multipart([b"header", b"array"])
        received = []
        for _ in range(2):
            assert bound.poll(10_000)
            received.append([frame.bytes for frame in front.receive(bound)[1]])
        bound.close(linger=0)
    assert received == [[b"long", *[b"x"] * MAX_FRAMES], [b"header", b"array"]]


def test_where_nobody_is_asked_about_keys_nobody_gets_in(tmp_path: Path) -> None:
    keys = ClientKeys(write_pair(tmp_path / "server"), new_secret_key())
    ClientList(tmp_path).add("alice", keys.public)
    with zmq.Context() as context:
        guard = Guard(tmp_path, context)
        bound = front.bind(context, "127.0.0.1", 0, guard)
        guard.questions.close(linger=0)
        with pytest.raises(ConnectionFailed):
            ZmqTransport(bound.getsockopt_string(zmq.LAST_ENDPOINT), keys, connect_timeout_s=1)
        bound.close(linger=0)
