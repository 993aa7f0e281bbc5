"""Servers elsewhere: saved with their keys, lost and found again. Real servers, real sockets, real encryption."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import QgsApplication, QgsSettings
from qgis.PyQt.QtWidgets import QApplication

from terrafine.qgis_plugin.controller import Controller
from terrafine.qgis_plugin.effects import Connect
from terrafine.qgis_plugin.link.servers import SETTING, Server, client_keys, load_servers, save_servers, with_new_key
from terrafine.qgis_plugin.state import Link
from terrafine.shared.errors import ConfigError, ConnectionFailed, NotAllowed
from terrafine.tests.qgis.analyst import until
from terrafine.tests.qgis.servers import Remote, new_public

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("no_saved_servers")]


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


@pytest.mark.parametrize(
    ("notice", "words"),
    [
        (Controller.connection_failed, "The server at tcp://127.0.0.1:5 has gone. Check its address."),
        (Controller.server_ended, "The local server has ended: killed"),
    ],
)
def test_of_a_local_server_it_is_said_that_it_has_ended_whoever_notices_it_first(notice, words):
    controller = Controller()
    controller.start_server()
    controller.server_started("tcp://127.0.0.1:5")
    controller.connected("cpu", ())
    *_, said = notice(controller, ConnectionFailed(words, "Start it again."))
    assert said.message.startswith("The local server has ended")
    assert said.hint.startswith("Start it again")


def test_disconnecting_ends_the_asking():
    controller = Controller()
    controller.connect(Server("tcp://a:1"))
    controller.connected("cpu", ())
    controller.connection_failed(ConnectionFailed("gone"))
    controller.disconnect()
    assert controller.retry() == []
