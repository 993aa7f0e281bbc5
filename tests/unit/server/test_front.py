"""What the server's socket takes."""

from __future__ import annotations

import zmq

from terrafine.server.gateway import front
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
