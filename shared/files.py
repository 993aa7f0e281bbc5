"""A raster that both sides see: the client names it, and tells what it reads there, instead of sending it."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Sequence, Union

from terrafine.shared.errors import NotFound, UnusableRaster
from terrafine.shared.geo import Grid, Window, intersection
from terrafine.shared.messages import MOST_SAMPLES, UPLOAD_BLOCK_PX

if TYPE_CHECKING:
    from terrafine.shared.client import Client, ReadPixels

SAMPLES_A_SIDE = 4
MOST_FOLDERS = 8  # of a path that are tried: further up, the two sides' paths hardly agree


def share_file(
    client: Client, session: str, grid: Grid, file: Union[str, Path], roots: Sequence[str], read_pixels: ReadPixels
) -> bool:
    """Let the server read the session's pixels itself, if it finds the `file` in one of its `roots`; else False.

    What is no file (a layer within one, an address) is not looked for.
    """
    place = Path(file)
    candidates = paths_in_roots(place, roots) if roots and place.is_file() else []
    patches = [read_pixels(window) for window in sample_windows(grid)] if candidates else []
    for path in candidates:
        try:
            client.open_file(session, path, place.stat().st_size, patches)
        except (NotFound, UnusableRaster):
            continue
        return True
    return False


def paths_in_roots(file: PurePath, roots: Sequence[str]) -> list[str]:
    """What the file may be called in the server's roots, the likeliest first: the two sides mount them differently."""
    parts = [part for part in file.parts if part != file.anchor]
    named = [parts[at:] for at, part in enumerate(parts[:-1]) if part in roots]
    ends = [parts[at:] for at in range(max(0, len(parts) - MOST_FOLDERS), len(parts))]
    return list(dict.fromkeys("/".join(path) for path in (*named, *([root, *end] for end in ends for root in roots))))


def sample_windows(grid: Grid) -> list[Window]:
    """Blocks of the upload grid, evenly spread from the first to the last: rasters differ in what they hold."""
    cols, rows = (-(-size // UPLOAD_BLOCK_PX) for size in (grid.width, grid.height))
    cells = [(col, row) for row in _spread(rows) for col in _spread(cols)][:MOST_SAMPLES]
    size = UPLOAD_BLOCK_PX
    return [intersection(Window(col * size, row * size, size, size), grid.window) for col, row in cells]


def _spread(count: int) -> list[int]:
    """Some of 0 … count − 1, the ends included."""
    steps = min(count, SAMPLES_A_SIDE)
    return [round(step * (count - 1) / max(1, steps - 1)) for step in range(steps)]
