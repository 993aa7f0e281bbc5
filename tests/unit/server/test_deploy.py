"""The recipes for a team's server start it with options that there are."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from terrafine.server import cli

DEPLOY = Path(__file__).parents[3] / "deploy"


def parsed(words: list[str]):
    program, *options = words
    assert Path(program).name == "terrafine"
    return cli._parse(options)[0]


def test_the_service_starts_a_server_with_keys_whose_sessions_last() -> None:
    line = re.search(r"^ExecStart=(.*)$", (DEPLOY / "terrafine.service").read_text("utf-8"), re.MULTILINE)
    arguments = parsed(shlex.split(line.group(1)))
    assert (arguments.command, arguments.host) == ("serve", "0.0.0.0")
    assert arguments.keys is not None
    assert str(arguments.state_dir).startswith("/var/lib/terrafine/")  # StateDirectory=


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_finds_nothing_wrong_with_the_service(tmp_path: Path) -> None:
    text = (DEPLOY / "terrafine.service").read_text("utf-8")
    unit = tmp_path / "terrafine.service"
    unit.write_text(text.replace("/opt/terrafine/bin/terrafine", sys.executable), "utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if unit.name in line]  # not what it thinks of the machine's own
    assert (done.returncode, said) == (0, [])


def test_the_container_does_likewise_and_not_as_root() -> None:
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    arguments = parsed(json.loads(re.search(r"^ENTRYPOINT (.*)$", text, re.MULTILINE).group(1)))
    assert arguments.keys is not None
    assert arguments.state_dir is not None
    assert f"EXPOSE {arguments.port}" in text
    user = re.search(r"^USER (\d+)$", text, re.MULTILINE).group(1)
    assert f"--uid {user}" in text
    assert user != "0"


def test_commands_that_the_administrators_page_names_are_there() -> None:
    text = (DEPLOY.parent / "docs" / "administration.md").read_text("utf-8")
    assert set(re.findall(r"`terrafine (\w+)", text)) <= set(cli.COMMANDS)
    assert {"serve", "status", "sessions", "predict", "bench"} <= set(re.findall(r"`terrafine (\w+)", text))
