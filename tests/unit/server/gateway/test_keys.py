from __future__ import annotations

import os
from pathlib import Path

import pytest

from terrafine.server.cli import main
from terrafine.server.gateway.keys import ClientList, read_secret, write_pair
from terrafine.shared.errors import ConfigError, NotFound
from terrafine.shared.transport import new_secret_key, public_key


@pytest.fixture
def key() -> str:
    return public_key(new_secret_key())


def test_a_pair_is_written_and_its_halves_fit(tmp_path: Path) -> None:
    public = write_pair(tmp_path / "keys" / "server.example.org")
    assert (tmp_path / "keys" / "server.example.org.pub").read_text() == public + "\n"
    assert public_key(read_secret(tmp_path / "keys" / "server.example.org")) == public


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    write_pair(tmp_path / "server")
    before = read_secret(tmp_path / "server")
    with pytest.raises(ConfigError, match="there already"):
        write_pair(tmp_path / "server")
    assert read_secret(tmp_path / "server") == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_secret_key_is_for_its_owner_alone_or_not_used(tmp_path: Path) -> None:
    write_pair(tmp_path / "server")
    assert (tmp_path / "server.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "server.key").chmod(0o640)
    with pytest.raises(ConfigError, match="Others can read"):
        read_secret(tmp_path / "server")


def test_a_server_without_keys_is_told_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_secret(tmp_path / "server")
    assert "terrafine keygen" in caught.value.hint


def test_clients_come_and_go(tmp_path: Path, key: str) -> None:
    clients = ClientList(tmp_path)
    assert clients.read() == {}
    clients.add("alice", key)
    assert clients.read() == {key: "alice"}
    clients.revoke("alice")
    assert clients.read() == {}
    with pytest.raises(NotFound):
        clients.revoke("alice")


def test_a_name_or_a_key_is_on_the_list_once(tmp_path: Path, key: str) -> None:
    clients = ClientList(tmp_path)
    clients.add("alice", key)
    for name, other in (("alice", public_key(new_secret_key())), ("bob", key)):
        with pytest.raises(ConfigError, match="'alice' is let in already"):
            clients.add(name, other)


@pytest.mark.parametrize("name", ["", ".", "..", "../server", "a/b", "a\\b", "-a", ".hidden", "a\n", "ä", "x" * 65])
def test_a_name_is_no_path(tmp_path: Path, key: str, name: str) -> None:
    for act in (lambda: ClientList(tmp_path).add(name, key), lambda: ClientList(tmp_path).revoke(name)):
        with pytest.raises(ConfigError, match="cannot be a client's name"):
            act()
    assert list(tmp_path.rglob("*")) == []


def test_what_is_no_key_lets_nobody_in(tmp_path: Path, key: str, caplog: pytest.LogCaptureFixture) -> None:
    clients = ClientList(tmp_path)
    with pytest.raises(ConfigError, match="no public key"):
        clients.add("alice", key[:-1])
    clients.add("bob", key)
    (tmp_path / "clients" / "mallory.pub").write_bytes(b"\xff\n")
    assert clients.read() == {key: "bob"}
    assert "mallory.pub" in caplog.text


def test_the_commands_make_keys_and_keep_the_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys, folder = str(tmp_path / "alice"), str(tmp_path / "keys")
    assert main(["keygen", keys]) == 0
    public = capsys.readouterr().out.strip()
    assert main(["clients", "add", "alice", public, "--keys", folder]) == 0
    assert main(["clients", "list", "--keys", folder]) == 0
    assert capsys.readouterr().out == f"alice  {public}\n"
    assert main(["clients", "revoke", "alice", "--keys", folder]) == 0
    assert main(["clients", "revoke", "alice", "--keys", folder]) == 1
    assert main(["clients", "add", "bob", "too short", "--keys", folder]) == 2
