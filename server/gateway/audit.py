"""The log of what was refused: one line each, without secrets and pixels, and few of them however many there are."""

from __future__ import annotations

import json
import logging
import time

log = logging.getLogger(__name__)
INTERVAL_S = 1.0  # between two lines of the same kind; the later one tells how many were left out
MAX_KINDS = 1024  # remembered; then all are forgotten, which costs some lines more
_SHOWN = 200


class Refusals:
    """For one thread."""

    def __init__(self) -> None:
        self._logged: dict[tuple[str, str], tuple[float, int]] = {}  # (who, code) → when, and how many since

    def add(self, who: str, code: str, reason: str) -> None:
        """`reason` may hold what a stranger wrote: it is cut and quoted, so that it cannot pass for another line."""
        now = time.monotonic()
        when, left_out = self._logged.get((who, code), (-INTERVAL_S, 0))
        if now - when < INTERVAL_S:
            self._logged[who, code] = when, left_out + 1
            return
        if len(self._logged) >= MAX_KINDS:
            self._logged.clear()
        self._logged[who, code] = now, 0
        log.warning(
            "refused: client=%s code=%s left_out=%d reason=%s", who, code, left_out, json.dumps(reason[:_SHOWN])
        )
