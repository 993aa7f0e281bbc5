"""The administrator's door: on this computer only, and for whoever may read the state folder.

    STATE/admin.json    {"address": "tcp://127.0.0.1:…", "token": "…"}: made anew by each server, for its account's eyes

A question is {"token": …, "ask": "status", …}, its answer a JSON object; the front's thread answers at once.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import zmq

from terrafine.shared import codec
from terrafine.shared.errors import BadRequest, ConnectionFailed, TerrafineError

FILE = "admin.json"
MOST_BYTES = 1 << 16
PATIENCE_MS = 5000
Answers = Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]


class Admin:
    """For the front's thread."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path, answers: Answers) -> None:
        """`answers`: what may be asked, each with what answers it."""
        self._answers = answers
        self._token = secrets.token_hex(32)
        self._file = folder / FILE
        self.questions = context.socket(zmq.REP)
        self.questions.setsockopt(zmq.MAXMSGSIZE, MOST_BYTES)
        self.questions.bind("tcp://127.0.0.1:*")
        address = self.questions.getsockopt_string(zmq.LAST_ENDPOINT)
        _write(self._file, json.dumps({"address": address, "token": self._token}))

    def answer(self) -> None:
        """The questions that wait."""
        while self.questions.poll(0):
            question = self.questions.recv_multipart()[0]
            try:
                answer = self._answered(codec.parse(question.decode("utf-8", "replace")))
            except TerrafineError as error:
                answer = {"error": error.message}
            self.questions.send(json.dumps(answer).encode())

    def close(self) -> None:
        self._file.unlink(missing_ok=True)

    def _answered(self, question: Any) -> dict[str, Any]:
        """A stranger learns nothing, not even what could be asked."""
        token = question.get("token") if isinstance(question, dict) else None
        if not isinstance(token, str) or not hmac.compare_digest(token.encode(), self._token.encode()):
            raise BadRequest("The token is wrong.")
        if question.get("ask") not in self._answers:
            raise BadRequest("There is no such question.")
        return self._answers[question["ask"]](question)


def ask(folder: Path, what: str, **fields: str) -> dict[str, Any]:
    """The answer of the server that uses this state folder; raises ConnectionFailed where none does."""
    try:
        door = json.loads((folder / FILE).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConnectionFailed(
            f"No server uses '{folder}' now.", "Name the folder of `terrafine serve --state-dir`; its account reads it."
        ) from error
    with zmq.Context() as context, context.socket(zmq.REQ) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(door["address"])
        socket.send(json.dumps({"token": door["token"], "ask": what, **fields}).encode())
        if not socket.poll(PATIENCE_MS):
            raise ConnectionFailed("The server does not answer.", "It may be starting, or was killed just now.")
        answer: dict[str, Any] = json.loads(socket.recv())
    if "error" in answer:
        raise BadRequest(answer["error"])
    return answer


def _write(file: Path, text: str) -> None:
    """For the owner's eyes, complete or not at all."""
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
        opened.write(text)
    os.replace(draft, file)
