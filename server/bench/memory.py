"""Memory of a measurement, and of the processes that it started."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")


def own_gb() -> float:
    """Resident memory of this process in GB (10⁹ bytes); 0 off Linux."""
    return resident_gb([os.getpid()])


def children_gb() -> float:
    """Resident memory of all processes that this one started, and of those that they started."""
    return resident_gb(children())


def children() -> set[int]:
    """Their numbers; none off Linux."""
    family, new = set[int](), {os.getpid()}
    parents = {pid: parent for pid in _running() if (parent := _parent(pid)) is not None}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new}
        family |= new
    return family


def resident_gb(pids: Iterable[int]) -> float:
    """Resident memory of some processes in GB (10⁹ bytes); those that are gone have none."""
    return sum(map(_resident_pages, pids)) * os.sysconf("SC_PAGE_SIZE") / 1e9 if PROC.is_dir() else 0.0


def _running() -> list[int]:
    return [int(folder.name) for folder in PROC.glob("[0-9]*")]


def _parent(pid: int) -> int | None:
    """None for a process that ended just now."""
    try:
        return int((PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


def _resident_pages(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1])
    except OSError:
        return 0
