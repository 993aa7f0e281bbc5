"""A server that encrypts, and those who would get in, or at what others do: strangers, the revoked, other clients."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from terrafine.shared import messages as m
from terrafine.shared import wire
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.client import Client
from terrafine.shared.errors import ConnectionFailed, NotAllowed
from terrafine.shared.geo import Grid, Window
from terrafine.shared.patch import Patch, digest
from terrafine.shared.raster import RasterInfo
from terrafine.shared.transport import ClientKeys, ZmqTransport, new_secret_key, public_key

INFO = RasterInfo(Grid(200, 150, gsd_m=0.5), "uint8", (1, 2, 3), ((0.0, 255.0),) * 3, name="small")
BLOCK = Window(0, 0, 200, 150)
PIXELS = Patch(BLOCK, np.random.default_rng(0).integers(0, 256, (3, 150, 200), np.uint8), np.ones((150, 200), bool))
LARGE = RasterInfo(Grid(2048, 2048, gsd_m=0.5), "uint8", (1, 2, 3), ((0.0, 255.0),) * 3, name="large")
MARK = Annotation("a", "point", ((60.5, 70.5),), 2)
HEARD_S = 0.3  # without an answer for so long, there will be none


def until(holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it does not come to pass"
        time.sleep(0.05)


def opened(raw, name: str = "s", marks: tuple[Annotation, ...] = ()) -> None:
    assert raw.asked(m.OpenSession(name, "tiny", INFO)).revision == 0
    assert isinstance(raw.asked(m.PutPixels(name, PIXELS)), m.PixelsStored)
    if marks:
        assert raw.asked(m.SetAnnotations(name, marks, 1)).revision == 1


# ---- who gets in -----------------------------------------------------------------------------------------------------


def test_with_a_key_on_the_list_everything_is_as_without_encryption(vault, raster, mapped) -> None:
    keys = vault.let_in("carol")
    client = Client(ZmqTransport(vault.address, keys))
    client.open_session("s", "tiny", raster.info)
    assert (mapped(client, "s", raster) != 77).all()
    client.close()


def test_without_a_key_nobody_gets_in(vault) -> None:
    with pytest.raises(ConnectionFailed):
        ZmqTransport(vault.address, connect_timeout_s=2)


def test_a_key_that_is_not_on_the_list_is_refused_and_logged(vault) -> None:
    stranger = ClientKeys(vault.public, new_secret_key())

    def is_logged() -> bool:  # one line a second: another one's may be in the way
        with pytest.raises(NotAllowed):
            ZmqTransport(vault.address, stranger)
        return json.dumps(f"key {stranger.public[:8]} from 127.0.0.1") in vault.log.read_text()

    until(is_logged)


def test_with_another_servers_key_this_one_is_not_spoken_to(vault) -> None:
    keys = ClientKeys(public_key(new_secret_key()), vault.let_in("dave").secret)
    with pytest.raises(ConnectionFailed):
        ZmqTransport(vault.address, keys, connect_timeout_s=2)


def test_a_client_is_let_in_and_out_while_the_server_runs(vault) -> None:
    keys = vault.let_in("erin")
    raw = vault.connect(keys)
    assert isinstance(raw.asked(m.Hello("test")), m.Welcome)
    vault.clients.revoke("erin")
    until(lambda: isinstance(raw.asked(m.Ping()), m.Failed))
    assert raw.asked(m.ListModels()).code == "not_allowed"
    with pytest.raises(NotAllowed):
        ZmqTransport(vault.address, keys)
    raw.close()


def test_what_a_client_has_the_server_do_ends_with_its_key(vault) -> None:
    keys = vault.let_in("frank")
    raw = vault.connect(keys)
    raw.asked(m.OpenSession("s", "tiny", LARGE))
    for window in raw.asked(m.Predict("s", LARGE.grid.window)).windows:
        shape = window.shape
        raw.asked(m.PutPixels("s", Patch(window, np.zeros((3, *shape), np.uint8), np.ones(shape, bool))))
    raw.ask("runs", m.Predict("s", LARGE.grid.window))
    while not isinstance(raw.reply()[1], m.PatchReady):
        continue
    vault.clients.revoke("frank")
    assert raw.last_reply("runs").code == "not_allowed"
    raw.close()


def test_what_travels_is_not_readable_and_cannot_be_sent_again(vault, alice) -> None:
    with Recorder(vault.address) as recorder:
        client = Client(ZmqTransport(recorder.address, alice.keys))
        client.open_session("t", "tiny", INFO)
        client.set_annotations("t", (MARK,), 7)
        client.close()
    assert b"set_annotations" not in recorder.tape
    assert len(recorder.tape) > 500
    alice.asked(m.SetAnnotations("t", (), 8))
    with socket.create_connection(recorder.server) as again:
        again.settimeout(10)
        again.sendall(recorder.tape)
        while again.recv(4096):  # the server ends the connection itself
            continue
    assert alice.asked(m.OpenSession("t", "tiny", INFO)).revision == 8


class Recorder:
    """Passes one connection on to the server, and keeps what its client sends."""

    def __init__(self, address: str) -> None:
        host, port = address.removeprefix("tcp://").split(":")
        self.server = (host, int(port))
        self.tape = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Recorder:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._thread.join(20)
        self._listener.close()

    def _run(self) -> None:
        with self._listener.accept()[0] as client, socket.create_connection(self.server) as server:
            back = threading.Thread(
                target=lambda: [client.sendall(data) for data in iter(lambda: server.recv(65536), b"")]
            )
            back.start()
            for data in iter(lambda: client.recv(65536), b""):
                self.tape += data
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
            back.join(10)


# ---- what others do --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        m.Predict("s", Window(0, 0, 9, 9)),
        m.ChangeAnnotations("s", Delta(1, 2, (MARK,))),
        m.SetAnnotations("s", (), 5),
        m.PutPixels("s", PIXELS),
    ],
)
def test_a_session_of_another_client_is_not_found(alice, mallory, message: m.Message) -> None:
    opened(alice, marks=(MARK,))
    assert mallory.asked(message).code == "not_found"
    assert alice.asked(m.OpenSession("s", "tiny", INFO)).revision == 1


def test_closing_another_clients_session_closes_nothing(alice, mallory) -> None:
    opened(alice, marks=(MARK,))
    assert isinstance(mallory.asked(m.CloseSession("s")), m.SessionClosed)
    assert alice.asked(m.OpenSession("s", "tiny", INFO)).revision == 1


def test_a_session_of_the_same_name_holds_nothing_of_the_other_one(alice, mallory) -> None:
    opened(alice, marks=(MARK,))
    assert mallory.asked(m.OpenSession("s", "tiny", INFO)).revision == 0
    assert mallory.asked(m.Predict("s", Window(0, 0, 9, 9))).windows == (BLOCK,)


def test_a_digest_does_not_tell_what_another_client_works_on(alice, mallory) -> None:
    opened(alice)
    mallory.asked(m.OpenSession("t", "tiny", INFO))
    assert mallory.asked(m.OfferPixels("t", (BLOCK,), (digest(PIXELS),))).windows == (BLOCK,)


def test_nobody_cancels_the_request_of_another_client(alice, mallory) -> None:
    opened(alice)
    alice.ask("mine", m.Predict("s", BLOCK))
    mallory.asked(m.Cancel("mine"))
    assert isinstance(alice.last_reply("mine"), m.Done)


def test_what_a_message_says_about_its_sender_is_ignored(alice, mallory) -> None:
    opened(alice, marks=(MARK,))
    header = json.loads(wire.pack(m.SetAnnotations("s", (), 5), "1")[0])
    for name in ("client", "User-Id", "user_id", "identity", "key"):
        header[name] = header["fields"][name] = alice.keys.public
    mallory.socket.send_multipart([json.dumps(header).encode()])
    assert mallory.last_reply("1").code == "not_found"
    assert alice.asked(m.OpenSession("s", "tiny", INFO)).revision == 1


def test_a_request_of_another_client_sent_again_reaches_nothing_of_hers(alice, mallory) -> None:
    opened(alice, marks=(MARK,))
    frames = wire.pack(m.SetAnnotations("s", (), 5), "9")
    mallory.socket.send_multipart(frames)
    assert mallory.last_reply("9").code == "not_found"


def test_a_request_that_is_repeated_changes_nothing_more(alice) -> None:
    opened(alice)
    change = wire.pack(m.ChangeAnnotations("s", Delta(0, 1, (MARK,))), "c")
    for _ in range(2):
        alice.socket.send_multipart(change)
    replies = [alice.last_reply("c")]
    while alice.socket.poll(int(1000 * HEARD_S)):
        replies.append(alice.last_reply("c"))
    assert replies[0].revision == 1
    assert all(reply.code == "revision_mismatch" for reply in replies[1:])
    assert alice.asked(m.OpenSession("s", "tiny", INFO)).revision == 1


def test_the_log_names_who_and_why_and_holds_neither_keys_nor_pixels(vault, mallory) -> None:
    mallory.asked(m.Predict("nobody's", BLOCK))
    header = {"protocol": m.PROTOCOL_VERSION, "type": "x\n2026 INFO forged", "id": "1", "fields": {}}
    mallory.socket.send_multipart([json.dumps(header).encode()])
    assert mallory.last_reply("1").code == "bad_request"
    until(lambda: re.search(r"refused: client=mallory\S* code=bad_request left_out=\d+ reason=", vault.log.read_text()))
    text = vault.log.read_text()
    assert not re.search("^2026 INFO forged", text, re.MULTILINE)
    assert mallory.keys.secret not in text
    assert (vault.clients.folder.parent / "server.key").read_text().strip() not in text
