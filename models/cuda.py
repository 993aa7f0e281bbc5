"""What keeps a CUDA card busy: copies from memory that it fetches by itself, a stream for each thread, and the many
small kernels of a network recorded once and launched as one.

A tensor that leaves its thread's lane is complete: any other thread may use it at once, if it says so (`lent`).

On a processor each of these is the plain thing. Nothing here was measured on a card: docs/benchmarks.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

REHEARSALS = 3  # before a recording: libraries choose their kernels in the first calls
Function = Callable[..., tuple[Tensor, ...]]
Shapes = tuple[torch.Size, ...]
Recording = tuple[torch.cuda.CUDAGraph, tuple[Tensor, ...], tuple[Tensor, ...]]
_streams = threading.local()


def upload(array: NDArray[Any], device: torch.device) -> Tensor:
    """Onto the device; while it copies, other threads' work goes on there."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def download(tensor: Tensor) -> NDArray[Any]:
    """The numbers, once they are computed."""
    if not tensor.is_cuda:
        return tensor.numpy()
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    torch.cuda.current_stream(tensor.device).synchronize()
    return host.numpy()


@contextmanager
def lane(device: torch.device) -> Iterator[None]:
    """Within, this thread's work goes to a stream of its own, and is done at the end: threads wait for theirs alone."""
    if device.type != "cuda":
        yield
        return
    if not hasattr(_streams, "own"):
        _streams.own = torch.cuda.Stream(device)
    with torch.cuda.stream(_streams.own):
        yield
        _streams.own.synchronize()


def lent(tensor: Tensor) -> Tensor:
    """A tensor of another thread's lane; its memory is not given to others before this lane is done with it."""
    if tensor.is_cuda:
        tensor.record_stream(torch.cuda.current_stream(tensor.device))
    return tensor


class Replayed:
    """A function of tensors, recorded on CUDA as a graph for each set of shapes and replayed, by any number of threads.

    What it returns is complete: a thread with another stream may use it at once.
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._recorded: dict[Shapes, Recording] = {}

    def __call__(self, *given: Tensor) -> tuple[Tensor, ...]:
        if not given[0].is_cuda:
            return self._function(*given)
        shapes = tuple(tensor.shape for tensor in given)
        with self._lock:
            if shapes not in self._recorded:
                self._recorded[shapes] = self._record(tuple(tensor.clone() for tensor in given))
            graph, sources, results = self._recorded[shapes]
            for source, tensor in zip(sources, given):
                source.copy_(tensor)
            graph.replay()
            found = tuple(result.clone() for result in results)
            torch.cuda.current_stream(given[0].device).synchronize()
        return found

    def _record(self, sources: tuple[Tensor, ...]) -> Recording:
        for _ in range(REHEARSALS):
            self._function(*sources)
        torch.cuda.synchronize(sources[0].device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            results = self._function(*sources)
        return graph, sources, results
