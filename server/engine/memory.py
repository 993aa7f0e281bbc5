"""What is done about memory: where it runs out less at once first, and what was freed is given back."""

from __future__ import annotations

import ctypes
import gc
import logging
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

log = logging.getLogger(__name__)
Item = TypeVar("Item")
Result = TypeVar("Result")
KEPT_BYTES = 64 << 20  # of what was freed last, by each thread that computes
LARGE_BYTES = 32 << 20  # from there on memory comes from the system, and goes back to it, by itself
BEATS = 10  # of an engine's heart, about a second each, between two times that memory is given back
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h

# Those of C++, and of oneDNN, which does not say why; what it does not know how to do is "… a primitive descriptor".
NATIVE = ("std::bad_alloc", "could not create a primitive", "could not execute a primitive")


def is_out_of_memory(error: BaseException) -> bool:
    """torch's CUDA error is a RuntimeError of its own kind, the others are plain ones."""
    words = str(error)
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("memory" in words or words in NATIVE)
    )


def halved(run: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item]) -> list[Result]:
    """`run(items)`; where that takes more memory than there is, of one half and then of the other.

    Raises what `run` does, out of memory included where a single item is too much.
    """
    try:
        return run(items)
    except (MemoryError, RuntimeError) as error:
        if len(items) < 2 or not is_out_of_memory(error):
            raise
        log.warning("out of memory with %d at once: these in halves", len(items))
    middle = len(items) // 2
    return halved(run, items[:middle]) + halved(run, items[middle:])


def settle() -> None:
    """What is there after the start is there for good: looking for garbage among it takes 0.2 s, of some click."""
    gc.freeze()


def give_back() -> None:
    """What nobody has any more is freed, and goes back to the system, where this is Linux with the GNU library.

    That keeps it otherwise: free arrays lie between others that are in use, and a process that makes a large map grows
    by a third.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def keep() -> None:
    """What was freed stays at hand for the next tile, until `give_back`, where this is Linux with the GNU library.

    That may return it at every click otherwise, and each page of it that is needed again costs a fault.
    """
    if sys.platform == "linux":
        choose = getattr(ctypes.CDLL(None), "mallopt", None)
        if choose is not None:
            choose(M_MMAP_THRESHOLD, LARGE_BYTES)
            choose(M_TRIM_THRESHOLD, KEPT_BYTES)


class Returns:
    """When an engine gives back what was freed: now and then, if it worked since. Any thread may call."""

    def __init__(self) -> None:
        self._beats, self._is_due = 0, True  # what the start took and freed

    def worked(self) -> None:
        self._is_due = True

    def beat(self) -> None:
        self._beats += 1
        if self._is_due and self._beats % BEATS == 0:
            self._is_due = False
            give_back()
