"""Memory of a measurement, and of the processes that it started."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def own_gb() -> float:
    """Resident memory of this process in GB (10⁹ bytes); 0 off Linux."""
    return process_gb(os.getpid())


def process_gb(pid: int) -> float:
    """Likewise of another process; 0 for one that is gone, too."""
    return _resident_pages(pid) * os.sysconf("SC_PAGE_SIZE") / 1e9 if PROC.is_dir() else 0.0


def children_gb() -> float:
    """Resident memory of all processes that this one started, and of theirs, in GB (10⁹ bytes); 0 off Linux."""
    family, new = set[int](), {os.getpid()}
    parents = {pid: parent for pid in _running() if (parent := _parent(pid)) is not None}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new}
        family |= new
    return sum(map(_resident_pages, family)) * os.sysconf("SC_PAGE_SIZE") / 1e9 if family else 0.0


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
