from __future__ import annotations

import json
import logging
import sys

from terrafine.server.logs import JsonLines


def record(message: str, *arguments: object, error: bool = False) -> logging.LogRecord:
    return logging.LogRecord("a.b", logging.WARNING, "", 0, message, arguments, sys.exc_info() if error else None)


def test_a_line_for_machines_holds_what_a_line_for_people_does() -> None:
    line = json.loads(JsonLines().format(record("refused: %s", 'a "word"\nor two')))
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "a.b", 'refused: a "word"\nor two')
    assert line["time"].endswith("+00:00")


def test_whatever_is_logged_is_one_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        text = JsonLines().format(record("it failed", error=True))
    assert "\n" not in text
    assert "ValueError: first\nsecond" in json.loads(text)["error"]
