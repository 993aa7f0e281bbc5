"""Disks as they are when things go wrong, made by the operating system and not by patched functions."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from pathlib import Path
from typing import Iterator

import pytest

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits and capabilities as Linux has them")
CAPABILITIES_V3, DAC_OVERRIDE = 0x20080522, 1  # of linux/capability.h
ROOM = 4096  # bytes at the beginning of a file that can be written still


@contextlib.contextmanager
def full() -> Iterator[None]:
    """No file of this process can grow, or be written at all, beyond its first bytes; other processes are free."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))  # Python ignores the signal, and so writing just fails
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody can write in the folder, nor any file in it; root cannot either, in this thread."""
    paths = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with _as_anybody():
            yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


@contextlib.contextmanager
def _as_anybody() -> Iterator[None]:
    """Without root's power to write everywhere; nothing changes for anybody else."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0), ctypes.c_uint32 * 6
    before, without = sets(), sets()
    assert libc.capget(header, before) == 0
    without[:] = before[:]
    without[0] &= ~(1 << DAC_OVERRIDE)  # of effective, permitted and inheritable, the first
    assert libc.capset(header, without) == 0
    try:
        yield
    finally:
        assert libc.capset(header, before) == 0
