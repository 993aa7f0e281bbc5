"""The test button: it says what is wrong with a server, and with what it works. Real servers, real sockets."""

from __future__ import annotations

import socket
import threading
from typing import Iterator

import pytest
from qgis.PyQt.QtWidgets import QApplication

from terrafine.qgis_plugin.link.check import diagnose
from terrafine.qgis_plugin.link.servers import Server, client_keys, load_servers, with_new_key
from terrafine.shared import wire
from terrafine.shared.errors import ConfigError, ConnectionFailed, NotAllowed, UnsupportedVersion, UnusableModel
from terrafine.shared.messages import Failed, Hello, Message, Models, Pong, Welcome
from terrafine.tests.qgis.analyst import until
from terrafine.tests.qgis.servers import new_public

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("no_saved_servers")]


def test_a_server_that_works_says_with_what(box):
    assert "It works: CPU" in diagnose(box, client_keys(box))


def test_a_port_where_nothing_listens_is_refused():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(ConnectionFailed, match="refuses"):
        diagnose(Server(address), None)


def test_a_computer_that_does_not_exist_is_said_so():
    with pytest.raises(ConnectionFailed, match="no computer called"):
        diagnose(Server("tcp://no-such-computer.invalid:5590"), None)


def test_silence_is_said_so(monkeypatch):
    monkeypatch.setattr("terrafine.qgis_plugin.link.check.PATIENCE_S", 0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]  # more than wait in its queue
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with pytest.raises(ConnectionFailed, match="silence"):
            diagnose(Server(f"tcp://127.0.0.1:{full.getsockname()[1]}"), None)
        for one in waiting:
            one.close()


@pytest.mark.parametrize("address", ["", "host:5590", "tcp://host", "tcp://host:port", "http://host:80"])
def test_what_is_no_address_is_said_so(address):
    with pytest.raises(ConfigError, match="no address"):
        diagnose(Server(address), None)


def test_a_key_that_the_server_does_not_know_is_said_so(remote):
    stranger = with_new_key(Server(remote.address, "stranger", remote.key))
    with pytest.raises(NotAllowed, match="does not know your key"):
        diagnose(stranger, client_keys(stranger))


def test_another_servers_key_is_said_so(box):
    other = Server(box.address, "other", new_public(), box.client_key, box.authcfg)
    with pytest.raises(ConnectionFailed, match="does not have the server's public key"):
        diagnose(other, client_keys(other))


def test_a_server_that_asks_for_keys_is_said_so(remote):
    with pytest.raises(ConnectionFailed, match="one that asks for keys"):
        diagnose(Server(remote.address), None)


@pytest.fixture
def impostor(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of something that answers each message with what `request.param` makes of its frames."""
    import zmq

    context = zmq.Context()
    front = context.socket(zmq.ROUTER)
    port = front.bind_to_random_port("tcp://127.0.0.1")
    ended = threading.Event()

    def answer() -> None:
        while not ended.is_set():
            if front.poll(20):
                client, *frames = front.recv_multipart()
                front.send_multipart([client, *request.param(*wire.unpack(frames))])

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield f"tcp://127.0.0.1:{port}"
    ended.set()
    thread.join()
    context.destroy(linger=0)


def _refusal(request_id: str, _request: Message) -> list[bytes]:
    """What a server of a later version says to a request of this one."""
    return wire.pack(Failed("unsupported_version", "This server speaks version 99."), request_id)


def _answer_in_99(request_id: str, _request: Message) -> list[bytes]:
    """An answer in a later version."""
    return [frame.replace(b'"protocol":1', b'"protocol":99') for frame in wire.pack(Pong(busy=False), request_id)]


@pytest.mark.parametrize("impostor", [_refusal, _answer_in_99], indirect=True)
def test_a_server_of_another_version_is_said_so(impostor):
    with pytest.raises(UnsupportedVersion, match="different versions.*99"):
        diagnose(Server(impostor), None)


def _without_models(request_id: str, request: Message) -> list[bytes]:
    return wire.pack(Welcome("bare", "cpu") if isinstance(request, Hello) else Models(()), request_id)


@pytest.mark.parametrize("impostor", [_without_models], indirect=True)
def test_a_server_without_models_is_said_so(impostor):
    with pytest.raises(UnusableModel, match="no models"):
        diagnose(Server(impostor), None)


def the_dialog(analyst):
    analyst.dock.server.servers_asked.emit()
    return analyst.plugin.desk.server.servers


def test_the_test_button_says_what_is_wrong_and_then_that_all_is_well(analyst, remote):
    dialog = the_dialog(analyst)
    analyst.press(dialog.add)
    dialog.name.setText("GPU box")
    dialog.address.setText(remote.address)
    dialog.key.setText(remote.key)
    dialog.key.editingFinished.emit()
    analyst.press(dialog.test)
    assert "no key of yours" in dialog.result.text()
    analyst.press(dialog.make_key)
    analyst.press(dialog.test)
    until(lambda: "✗" in dialog.result.text(), "the server has answered")
    assert "does not know your key" in dialog.result.text()
    analyst.press(dialog.copy)
    remote.allow("colleague", QApplication.clipboard().text())
    analyst.press(dialog.test)
    until(dialog.test.isEnabled, "the server has answered")
    assert "✓ It works" in dialog.result.text()
    assert load_servers()[0].client_key == dialog.client_key.text()
    analyst.press(dialog.remove)
    assert load_servers() == ()
    dialog.close()
