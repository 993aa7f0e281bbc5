"""What pip says, as something a person can follow: what is going on, how much has been fetched, what went wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from terrafine.qgis_plugin.language import Number, tr
from terrafine.shared.errors import ConfigError, TerrafineError

UNITS = {"bytes": 1, "kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
COLLECTING = re.compile(r"Collecting ([\w.-]+)")
FETCHING = re.compile(
    r"\s*(?:Downloading|Processing) (?:\S*/)?([\w.]+)-\S+\.whl(?: \((\d+(?:\.\d+)?) (bytes|kB|MB|GB)\))?$"
)
PROGRESS = re.compile(r"Progress (\d+) of (\d+)$")
INSTALLING = re.compile(r"Installing collected packages: (.+)")
NO_NETWORK = ("connection broken by", "ProxyError", "Could not fetch URL", "Read timed out")
NO_SPACE = ("No space left", "Errno 28", "not enough space")
NO_BUILD = "No matching distribution found for "


@dataclass(frozen=True)
class Report:
    """What goes on, in words; kilobytes fetched, and to be fetched in all (0 where that is not known)."""

    words: str
    fetched_kb: int = 0
    total_kb: int = 0


class PipOutput:
    """Reads pip's lines one by one. `expected`: bytes that all files together will have, about."""

    def __init__(self, expected: int) -> None:
        self.fetched, self.expected = 0, expected
        self._name = ""
        self._size = self._got = 0  # of the file that is on its way
        self._complaints: list[str] = []

    def read(self, line: str) -> Optional[Report]:
        """What the line means for somebody who waits; None if nothing."""
        if line.startswith("ERROR:") or any(sign in line for sign in (*NO_NETWORK, *NO_SPACE)):
            self._complaints.append(line.replace("ERROR: ", ""))
        words = self._fetching(line) or self._progress(line) or self._collecting(line) or self._installing(line)
        return self.report(words) if words else None

    def report(self, words: str) -> Report:
        """These words, with what has been fetched."""
        fetched = min(self.fetched + self._got, self.expected)
        return Report(words, fetched // 1000, self.expected // 1000 if fetched else 0)

    def error(self, last_line: str) -> TerrafineError:
        """What went wrong and what to do about it; `last_line` is taken where pip has not complained."""
        said = "\n".join(self._complaints)
        if any(sign in said for sign in NO_SPACE):
            return ConfigError(tr("The disk is full."), tr("Make room, then try again."))
        if any(sign in said for sign in NO_NETWORK):
            return ConfigError(
                tr("The network, or the proxy, does not let the packages through."),
                tr("Check the connection, and the proxy in QGIS's options; then try again."),
            )
        if NO_BUILD in said:
            package = said.partition(NO_BUILD)[2].split()[0]
            return ConfigError(
                tr("There is no build of '{package}' for this Python.").format(package=package),
                tr("Choose another Python, 3.10 to 3.13, and try again."),
            )
        return ConfigError(
            self._complaints[-1] if said else last_line, tr("The log's tab 'Terrafine set-up' has it all.")
        )

    def _fetching(self, line: str) -> str:
        found = FETCHING.match(line)
        if not found:
            return ""
        self.fetched += self._size
        name, size, unit = found.groups()
        self._name, self._got = name, 0
        self._size = round(float(size) * UNITS[unit]) if size else 0
        if not self._size:  # it is on this computer already
            return tr("Reading {name}").format(name=name)
        return tr("Fetching {name} ({size:.1f} MB)").format(name=name, size=Number(self._size / 1e6))

    def _progress(self, line: str) -> str:
        found = PROGRESS.match(line)
        if not found or not self._name:
            return ""
        self._got, self._size = int(found[1]), int(found[2])
        done, size = self._got / 1e6, self._size / 1e6
        return tr("Fetching {name}: {done:.0f} of {size:.0f} MB").format(name=self._name, done=done, size=size)

    def _collecting(self, line: str) -> str:
        found = COLLECTING.match(line)
        return tr("Looking for {name}").format(name=found[1]) if found else ""

    def _installing(self, line: str) -> str:
        found = INSTALLING.match(line)
        if not found:
            return ""
        self.fetched, self._size, self._got = self.fetched + self._size, 0, 0
        return tr("Unpacking {count} packages; this takes a minute or two").format(count=found[1].count(",") + 1)
