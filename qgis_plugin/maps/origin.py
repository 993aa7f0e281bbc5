"""What a map was computed from, how far it goes and in which detail it is drawn, noted beside the map's file.

The map changes with every mark, the project file only when the user saves it; and marks can be drawn where there is no
server. When a project is opened again, its map need not be one of its marks and network.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import Mapping, Optional, Sequence

from terrafine.qgis_plugin.rasters.raster import open_dataset
from terrafine.qgis_plugin.requests import Network, Snapshot
from terrafine.shared.annotation import Annotation

DOMAIN = "TERRAFINE"  # in the file's metadata; a domain of its own stays out of exports
ORIGIN, MAPPED, DETAIL = "ORIGIN", "MAPPED", "DETAIL"  # items: a snapshot's name, four numbers of a window, and a word
UNFINISHED = "unfinished"  # a part of the map is of something newer


def origin(snapshot: Snapshot) -> str:
    """A name for the network and the marks of a snapshot; what its classes are called does not count."""
    return " ".join((_of_network(snapshot.network), str(len(snapshot.marks)), _of_marks(snapshot.marks)))


def drawn_from(name: str, now: Snapshot) -> Optional[Snapshot]:
    """The snapshot of that name, if it is `now` or has the first of its marks; else None. A map without a name is
    taken for one of now."""
    if not name:
        return now
    network, _, marks = name.partition(" ")
    count = marks.partition(" ")[0]
    if network != _of_network(now.network) or not count.isdecimal() or int(count) > len(now.marks):
        return None
    known = now.marks[: int(count)]
    if name != origin(Snapshot(known, 0, now.network)):
        return None
    return now if len(known) == len(now.marks) else Snapshot(known, len(known), now.network)


def write_notes(path: str, notes: Mapping[str, str]) -> None:
    """GDAL puts them into the .aux.xml of a file that is open for reading: the map itself does not grow. Where that
    cannot be written, what it said before stays."""
    with contextlib.suppress(RuntimeError):  # where another plugin has switched GDAL's exceptions on
        file = open_dataset(path)
        for item, words in notes.items():
            file.SetMetadataItem(item, words, DOMAIN)


def read_note(path: str, item: str) -> str:
    """What is noted of a map's file, "" where nothing is."""
    return open_dataset(path).GetMetadataItem(item, DOMAIN) or ""


def _of_network(network: Network) -> str:
    return _digest(repr((network.weights, network.legend.becomes, network.side.digest)))


def _of_marks(marks: Sequence[Annotation]) -> str:
    return _digest("\n".join(mark.id for mark in marks))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
