"""What keeps a CUDA card busy: copies from memory that it fetches by itself, a stream for each thread, and the many
small kernels of a network recorded once and launched as one.

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
Function = Callable[[Tensor], tuple[Tensor, ...]]
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
    """Within, this thread's work goes to a stream of its own: threads wait for no work but theirs."""
    if device.type != "cuda":
        yield
        return
    if not hasattr(_streams, "own"):
        _streams.own = torch.cuda.Stream(device)
    with torch.cuda.stream(_streams.own):
        yield


class Replayed:
    """A function of one tensor, recorded on CUDA as one graph for each shape and replayed; for any number of threads.

    What it returns is complete: a thread with another stream may use it at once.
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._recorded: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor, tuple[Tensor, ...]]] = {}

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        if not x.is_cuda:
            return self._function(x)
        with self._lock:
            if x.shape not in self._recorded:
                self._recorded[x.shape] = self._record(x.clone())
            graph, source, results = self._recorded[x.shape]
            source.copy_(x)
            graph.replay()
            found = tuple(result.clone() for result in results)
            torch.cuda.current_stream(x.device).synchronize()
        return found

    def _record(self, source: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, tuple[Tensor, ...]]:
        for _ in range(REHEARSALS):
            self._function(source)
        torch.cuda.synchronize(source.device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            results = self._function(source)
        return graph, source, results
