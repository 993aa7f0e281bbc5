"""Tensors that are kept, apart from the heap.

Where the C library places the small parts of tensors that live long between arrays that come and go, it leaves holes
that nothing fits into any more: a cache of a constant size makes the process grow with each tile (docs/benchmarks.md).
So the values lie in memory of their own, which is used again, and tensors are made of it while they are looked at.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple, Optional

import numpy as np
import torch
from torch import Tensor

ALIGNED = 64  # bytes
SMALL_BYTES = 16 << 10  # what takes no more is kept as it is
SPARE_BYTES = 64 << 20  # of memory that is not used just now; its pages are there already
_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
_spare: list[mmap.mmap] = []  # what was used last at the end; each step on it is atomic, for there is no lock


class Lasting:
    """A copy of tensors, in the same layout; of those on CUDA, where torch shares out memory itself, they themselves.

    nbytes   of their values
    """

    _memory: Optional[mmap.mmap] = None

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        """Raises MemoryError."""
        self.nbytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        self._small, self._layouts = tuple(tensors), tuple[_Layout, ...]()
        if self.nbytes > SMALL_BYTES and all(tensor.device.type == "cpu" for tensor in tensors):
            self._small, self._layouts, end = (), *_laid_out(tensors)
            self._memory = _taken(end) or _new(end)
            for kept, tensor in zip(self.tensors, tensors):
                kept.copy_(tensor)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """They must not be written to. Whoever has one of them may have it for longer than this."""
        if self._memory is None:
            return self._small
        array = np.frombuffer(self._memory, np.uint8).view(_Part)
        array.of = self
        memory = torch.from_numpy(array)
        return tuple(layout.within(memory) for layout in self._layouts)

    def __del__(self) -> None:
        if self._memory is not None:
            _give_back(self._memory)


class _Part(np.ndarray):
    """An array that a tensor holds on to, and by it what it is part `of`."""

    of: Optional[Lasting] = None


class _Layout(NamedTuple):
    begin: int  # bytes
    end: int
    dtype: torch.dtype
    shape: torch.Size
    strides: tuple[int, ...]

    def within(self, memory: Tensor) -> Tensor:
        return memory[self.begin : self.end].view(self.dtype).as_strided(self.shape, self.strides)


def _laid_out(tensors: Sequence[Tensor]) -> tuple[tuple[_Layout, ...], int]:
    """One after the other, and how many bytes they take."""
    sizes = [tensor.numel() * tensor.element_size() for tensor in tensors]
    begins = list(accumulate((-(-size // ALIGNED) * ALIGNED for size in sizes), initial=0))
    strides = (torch.empty_like(tensor, device="meta").stride() for tensor in tensors)
    layouts = (
        _Layout(begin, begin + size, tensor.dtype, tensor.shape, stride)
        for begin, size, tensor, stride in zip(begins, sizes, tensors, strides)
    )
    return tuple(layouts), begins[-1]


def _new(nbytes: int) -> mmap.mmap:
    try:
        return mmap.mmap(-1, nbytes, **_PRIVATE)
    except OSError as error:
        raise MemoryError(f"There are no {nbytes} bytes of memory to be had.") from error


def _taken(nbytes: int) -> Optional[mmap.mmap]:
    """Spare memory of this size, if there is some."""
    for memory in reversed(_spare.copy()):
        if len(memory) == nbytes:
            try:
                _spare.remove(memory)
            except ValueError:  # another thread was quicker
                continue
            return memory
    return None


def _give_back(memory: mmap.mmap) -> None:
    """From any thread, and in the middle of anything: whoever lets go last does it."""
    _spare.append(memory)
    while sum(map(len, _spare.copy())) > SPARE_BYTES:
        _spare.pop(0)
