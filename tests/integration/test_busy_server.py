"""A server at work, and what else may come in: pings, newer work, clients that die, garbage."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid

import pytest

from terrafine.server.rasters.raster_io import Raster
from terrafine.shared import messages as m
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.client import Client
from terrafine.shared.errors import Cancelled
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch


def test_ping_is_answered_while_the_engine_works(busy) -> None:
    raw, _session = busy
    began = time.monotonic()
    raw.ask("ping", m.Ping())
    assert raw.last_reply("ping").busy
    assert time.monotonic() - began < 20  # of minutes of work


def test_cancel_is_answered_at_once_and_ends_the_request(busy) -> None:
    raw, _session = busy
    raw.ask("cancel", m.Cancel("big"))
    assert raw.last_reply("cancel").request == "big"
    assert raw.last_reply("big").code == "cancelled"


def test_a_change_of_marks_overtakes_the_prediction(busy) -> None:
    raw, session = busy
    raw.ask("change", m.ChangeAnnotations(session, AnnotationLog().add(Annotation("a", "point", ((9.5, 9.5),), 1))))
    assert raw.last_reply("big").code == "superseded"
    assert raw.last_reply("change").revision == 1


def test_of_several_predictions_only_the_newest_is_run(busy) -> None:
    raw, session = busy
    raw.ask("second", m.Predict(session, Window(0, 0, 4096, 4096)))
    raw.ask("third", m.Predict(session, Window(0, 0, 50, 50)))
    codes = {}
    while len(codes) < 3:
        request_id, reply = raw.reply()
        if not isinstance(reply, (m.Progress, m.PatchReady)):
            codes[request_id] = reply.code if isinstance(reply, m.Failed) else "done"
    assert codes == {"big": "superseded", "second": "superseded", "third": "done"}


def test_another_client_waits_for_its_turn_only(busy, client: Client, raster: Raster, mapped) -> None:
    raw, _session = busy
    assert client.ping().busy
    raw.ask("cancel", m.Cancel("big"))
    client.open_session("other", "tiny", raster.info)
    assert (mapped(client, "other", raster) != 77).all()


def test_the_client_stops_its_own_prediction(client: Client, raster: Raster, mapped) -> None:
    name = str(uuid.uuid4())
    client.open_session(name, "tiny", raster.info)
    items = client.predict(name, raster.info.grid.window, raster.read)
    while not isinstance(next(items), Patch):
        continue
    client.cancel()
    with pytest.raises(Cancelled):
        list(items)
    assert (mapped(client, name, raster) != 77).all()


def test_the_work_of_a_client_that_died_stops(connect, busy, client: Client) -> None:
    dying = connect()
    raw, session = busy
    raw.ask("cancel", m.Cancel("big"))
    assert raw.last_reply("big").code == "cancelled"
    dying.ask("big", m.Predict(session, Window(0, 0, 4096, 4096)))
    dying.reply()
    dying.close()
    deadline = time.monotonic() + 20
    while client.ping().busy:
        assert time.monotonic() < deadline, "the server still works for nobody"
        time.sleep(0.1)


def test_garbage_on_the_port_harms_nobody(address: str, client: Client) -> None:
    host, port = address.removeprefix("tcp://").split(":")
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"\xff" + b"\0" * 63, b""):
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(garbage)
    assert client.hello().server.startswith("terrafine-server")


@pytest.mark.parametrize("frames", [[b""], [b"{}"], [b"\xff\xfe"], [b"[1]", b"x"], [b"x"] * 40, [os.urandom(1 << 20)]])
def test_frames_that_are_no_message_are_dropped(connect, client: Client, frames: list[bytes]) -> None:
    raw = connect()
    raw.socket.send_multipart(frames)
    assert client.hello().server
    assert not raw.socket.poll(50)
    raw.close()


def test_a_message_that_makes_no_sense_is_refused_by_its_id(connect) -> None:
    raw = connect()
    header = {"protocol": m.PROTOCOL_VERSION, "type": "make_coffee", "id": "7", "fields": {}, "buffers": []}
    raw.socket.send_multipart([json.dumps(header).encode()])
    request_id, reply = raw.reply()
    assert (request_id, reply.code) == ("7", "bad_request")
    raw.close()
