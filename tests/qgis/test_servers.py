"""Servers elsewhere: saved, tested, with keys, lost and found again. Real servers, real sockets, real encryption."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest
from qgis.core import QgsApplication, QgsSettings
from qgis.PyQt.QtWidgets import QApplication

from terrafine.qgis_plugin.controller import Controller
from terrafine.qgis_plugin.effects import Connect
from terrafine.qgis_plugin.link.check import diagnose
from terrafine.qgis_plugin.link.servers import SETTING, Server, client_keys, load_servers, save_servers, with_new_key
from terrafine.qgis_plugin.state import Link
from terrafine.shared import wire
from terrafine.shared.errors import ConfigError, ConnectionFailed, NotAllowed, UnsupportedVersion, UnusableModel
from terrafine.shared.messages import Failed, Hello, Message, Models, Pong, Welcome
from terrafine.shared.transport import new_secret_key, public_key
from terrafine.tests.qgis.analyst import until

pytestmark = pytest.mark.qgis
COMMAND = ("-m", "terrafine.server.cli")


class Remote:
    """A server as an administrator runs it, with keys and on a port that stays the same."""

    def __init__(self, python: str, models: Path, folder: Path) -> None:
        self._python, self._keys = python, folder / "keys"
        self.key = self._run("keygen", str(self._keys / "server")).strip()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self._options = ["--keys", str(self._keys), "--models", str(models), "--port", str(self.port)]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        pipe, line = subprocess.PIPE, [self._python, *COMMAND, "serve", "--announce", "-", "--exit-with-stdin"]
        self._process = subprocess.Popen([*line, *self._options], stdin=pipe, stdout=pipe, text=True)
        json.loads(self._process.stdout.readline())

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def allow(self, name: str, key: str) -> None:
        self._run("clients", "add", name, key, "--keys", str(self._keys))

    def _run(self, *words: str) -> str:
        return subprocess.check_output([self._python, *COMMAND, *words], text=True)


@pytest.fixture(scope="module", autouse=True)
def _master_password() -> None:
    """As a user would have entered it."""
    assert QgsApplication.authManager().setMasterPassword("correct horse", True)


@pytest.fixture(autouse=True)
def _no_saved_servers() -> Iterator[None]:
    QgsSettings().remove(SETTING)
    yield
    QgsSettings().remove(SETTING)


@pytest.fixture(scope="module")
def remote(server_python: str, models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    remote = Remote(server_python, models_folder, tmp_path_factory.mktemp("remote"))
    remote.start()
    yield remote
    remote.kill()


@pytest.fixture(scope="module")
def box(remote: Remote) -> Server:
    """The remote server, with keys that are let in."""
    server = with_new_key(Server(remote.address, "GPU box", remote.key))
    remote.allow("analyst", server.client_key)
    return server


def servers_dialog(analyst):
    analyst.dock.server.servers_asked.emit()
    return analyst.plugin.desk.server.servers


# ---- saved ----------------------------------------------------------------------------------------------------------


def test_saved_servers_come_back_and_hold_no_secret(box):
    save_servers([box, Server("tcp://a:1")])
    assert load_servers() == (box, Server("tcp://a:1"))
    assert client_keys(box).secret not in QgsSettings().value(SETTING)


@pytest.mark.parametrize("stored", ["no json", "[1]", '[{"address": "tcp://a:1"}]', "null"])
def test_saved_servers_that_cannot_be_read_are_none(stored):
    QgsSettings().setValue(SETTING, stored)
    assert load_servers() == ()


def test_a_new_key_takes_the_place_of_the_old_one_in_the_authentication_manager():
    manager = QgsApplication.authManager()
    first = with_new_key(Server("tcp://a:1", "a", "k" * 40))
    second = with_new_key(first)
    assert first.authcfg not in manager.configIds()
    assert (
        client_keys(Server("tcp://a:1", "a", new_public(), second.client_key, second.authcfg)).public
        == second.client_key
    )


def new_public() -> str:
    return public_key(new_secret_key())


def test_a_key_that_is_not_there_is_said_so():
    with pytest.raises(ConfigError, match="no key of yours"):
        client_keys(Server("tcp://a:1", "a", new_public()))
    with pytest.raises(ConfigError, match="does not give your key"):
        client_keys(Server("tcp://a:1", "a", new_public(), authcfg="gone123"))


def test_loading_the_plugin_does_not_touch_the_keys(analyst, box, monkeypatch):
    """Else QGIS would ask for the master password whenever it starts."""
    save_servers([box])
    asked = []
    monkeypatch.setattr("terrafine.qgis_plugin.link.servers._manager", lambda: asked.append(1))
    analyst.leave()
    analyst.plugin.initGui()
    QApplication.processEvents()
    assert not asked
    assert "GPU box" in [action.text() for action in analyst.dock.server.elsewhere.menu().actions()]


# ---- tested ---------------------------------------------------------------------------------------------------------


def test_a_server_that_works_says_with_what(box):
    assert "It works: cpu" in diagnose(box, client_keys(box))


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


def test_the_test_button_says_what_is_wrong_and_then_that_all_is_well(analyst, remote):
    dialog = servers_dialog(analyst)
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
    assert try_until_well(analyst, dialog)
    assert load_servers()[0].client_key == dialog.client_key.text()
    analyst.press(dialog.remove)
    assert load_servers() == ()
    dialog.close()


def try_until_well(analyst, dialog) -> bool:
    """The server looks at its list of clients every second."""
    for _ in range(30):
        analyst.press(dialog.test)
        until(dialog.test.isEnabled, "the server has answered")
        if "✓ It works" in dialog.result.text():
            return True
        a_moment()
    return False


def a_moment() -> None:
    from qgis.PyQt.QtTest import QTest

    QTest.qWait(200)


# ---- lost and found -------------------------------------------------------------------------------------------------


def test_a_saved_server_is_one_click_away_and_its_name_is_shown(analyst, box):
    save_servers([box])
    analyst.plugin.desk.server._list_servers()
    action = next(a for a in analyst.dock.server.elsewhere.menu().actions() if a.text() == "GPU box")
    action.trigger()
    until(lambda: analyst.controller.link is Link.ONLINE, "the server has answered")
    assert analyst.dock.server.state.text().startswith("GPU box")


def test_marks_drawn_while_a_server_elsewhere_is_away_are_kept_and_sent_when_it_is_back(
    analyst, server_python, models_folder, tmp_path, scene
):
    remote = Remote(server_python, models_folder, tmp_path)
    server = with_new_key(Server(remote.address, "GPU box", remote.key))
    remote.allow("analyst", server.client_key)
    remote.start()
    analyst.dock.server.connect_asked.emit(server)
    until(lambda: analyst.controller.link is Link.ONLINE, "the server has answered")
    analyst.open(scene)
    analyst.choose_model()
    analyst.classify()
    before = analyst.map()
    remote.kill()
    until(lambda: analyst.controller.link is Link.LOST, "the plugin notices")
    wrong = (int(before[40, 50]) + 1) % 3
    analyst.mark(50.5, 40.5, wrong)
    assert len(analyst.stored()) == 1
    assert np.array_equal(analyst.map(), before)
    assert "trying again" in analyst.dock.server.state.text()
    remote.start()
    analyst.plugin.desk.server._patience.timeout.emit()  # sooner than after ten seconds
    until(lambda: analyst.controller.link is Link.ONLINE, "the server is found again")
    analyst.settle()
    assert analyst.map()[40, 50] == wrong
    assert len(analyst.stored()) == 1
    remote.kill()


def test_a_server_that_was_never_there_is_not_asked_again():
    controller = Controller()
    controller.connect(Server("tcp://a:1"))
    controller.connection_failed(ConnectionFailed("no"))
    assert controller.retry() == []


def test_a_server_that_went_is_asked_again_quietly_until_it_says_no():
    controller, server = Controller(), Server("tcp://a:1")
    controller.connect(server)
    controller.connected("cpu", ())
    said = controller.connection_failed(ConnectionFailed("gone"))
    assert len(said) == 3
    assert controller.retry() == [Connect(server)]
    assert len(controller.connection_failed(ConnectionFailed("still gone"))) == 2  # without words
    assert controller.retry() == [Connect(server)]
    assert len(controller.connection_failed(NotAllowed("revoked"))) == 3
    assert controller.retry() == []


def test_disconnecting_ends_the_asking():
    controller = Controller()
    controller.connect(Server("tcp://a:1"))
    controller.connected("cpu", ())
    controller.connection_failed(ConnectionFailed("gone"))
    controller.disconnect()
    assert controller.retry() == []
