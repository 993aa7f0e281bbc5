"""The log, of either process: lines of text, or of JSON for machines."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from datetime import datetime, timezone

LINES = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass(frozen=True)
class LogStyle:
    verbose: bool = False
    as_json: bool = False


class JsonLines(logging.Formatter):
    """{"time": "2026-03-02T10:15:04.117+00:00", "level": "INFO", "logger": …, "message": …, "error": a traceback}"""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line = {"time": when, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure(style: LogStyle) -> None:
    """Log to standard error in this style, unless something has set up logging before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if style.as_json else logging.Formatter(LINES))
    logging.basicConfig(level=logging.DEBUG if style.verbose else logging.INFO, handlers=[handler])
    if not style.verbose:
        logging.getLogger("rasterio").setLevel(logging.ERROR)  # GDAL's remarks; its errors are raised
