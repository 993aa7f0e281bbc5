"""Threads that work side by side, each with one thread of its own for the network's operations.

On a processor, two tiles in two threads take less time than one after the other in both: most operations of a tile are
too small to be shared out well. And a tile has the same bits however many are made beside it, which a batch of them
would not promise. The threads work while the caller waits, never behind its back: between two of a request's replies
nothing of it goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TypeVar

import torch

from terrafine.server.engine.memory import halved

Result = TypeVar("Result")


def width() -> int:
    """How many calls the caller's share of the processor can work on at once; 1 in a thread of the crew."""
    return torch.get_num_threads()


def side_by_side(calls: Sequence[Callable[[], Result]], spread: bool = True) -> list[Result]:
    """The results of the calls, in their order; raises what the first of them that fails raises, once all have ended.

    spread  a call that has no others beside it may use all threads itself

    Calls that together take more memory than there is are made fewer at once, those that succeeded once more.
    """
    return halved(partial(_at_once, spread=spread), calls)


def _at_once(calls: Sequence[Callable[[], Result]], spread: bool) -> list[Result]:
    if width() == 1 or not calls or (spread and len(calls) == 1):
        return [call() for call in calls]
    futures = [_crew(width()).submit(call) for call in calls]
    errors = [future.exception() for future in futures]
    for error in filter(None, errors):
        raise error
    return [future.result() for future in futures]


@cache
def _crew(threads: int) -> ThreadPoolExecutor:
    pool, ready = ThreadPoolExecutor(threads, "tiles"), threading.Barrier(threads + 1)
    for _ in range(threads):
        pool.submit(_with_one_thread, ready)
    ready.wait()
    torch.set_num_threads(threads)  # torch means the thread that says so, but threads to come as well
    return pool


def _with_one_thread(ready: threading.Barrier) -> None:
    torch.get_num_threads()  # or else the first operation would take the number of all threads for this one's
    torch.set_num_threads(1)
    ready.wait()
