"""What can be done with a row's model: each kind is a module with `measure(task)` and the name of its axis, `AXIS`."""

from __future__ import annotations

from types import ModuleType

from terrafine.server.studies import clicks, density, detail, mistakes, patches, points, sequence, strokes
from terrafine.shared.errors import ConfigError

KINDS: dict[str, ModuleType] = {
    "clicks": clicks,
    "patches": patches,
    "sequence": sequence,
    "mistakes": mistakes,
    "strokes": strokes,
    "points": points,
    "density": density,
    "detail": detail,
}


def find(name: str) -> ModuleType:
    """The kind of that name; raises ConfigError with the names there are."""
    if name not in KINDS:
        raise ConfigError(f"There is no kind of study '{name}'.", f"There are: {', '.join(KINDS)}.")
    return KINDS[name]
