from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from terrafine.server.bench.memory import own_gb
from terrafine.server.engine.memory import give_back, halved, is_out_of_memory


class Ring(np.ndarray):
    """What may hold itself."""


class Machine:
    """Doubles numbers, as many at once as it has room for."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.batches: list[int] = []

    def __call__(self, items):
        if len(items) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.batches.append(len(items))
        return [2 * item for item in items]


@given(st.lists(st.integers(), max_size=40), st.integers(1, 12))
def test_what_is_too_much_at_once_is_done_in_parts_and_in_order(items: list[int], room: int) -> None:
    machine = Machine(room)
    assert halved(machine, items) == [2 * item for item in items]
    assert sum(machine.batches) == len(items)


def test_what_fits_is_done_at_once() -> None:
    machine = Machine(8)
    halved(machine, range(8))
    assert machine.batches == [8]


def test_one_that_is_too_much_by_itself_is_an_error() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        halved(Machine(0), [1, 2, 3])


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), KeyError("memory"), ValueError("memory")])
def test_other_errors_are_none_of_its_business(error: Exception) -> None:
    calls = []

    def run(items):
        calls.append(items)
        raise error

    with pytest.raises(type(error)):
        halved(run, [1, 2])
    assert len(calls) == 1


def test_what_runs_out_of_memory_is_told_from_what_does_not() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert is_out_of_memory(
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory")
    )
    assert is_out_of_memory(RuntimeError("could not create a primitive"))
    assert is_out_of_memory(RuntimeError("std::bad_alloc"))
    assert not is_out_of_memory(RuntimeError("could not create a primitive descriptor for a convolution"))
    assert not is_out_of_memory(RuntimeError("sizes do not match"))
    with pytest.raises(RuntimeError) as refused:
        torch.empty(1 << 50)
    assert is_out_of_memory(refused.value)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_was_freed_between_arrays_in_use_goes_back_to_the_system() -> None:
    blocks = [np.ones(12_000) for _ in range(3000)]  # 96 kB each: small enough for the heap
    kept = blocks[::10]
    del blocks
    before = own_gb()
    give_back()
    assert before - own_gb() > 0.15
    assert sum(block.sum() for block in kept) == 300 * 12_000


def test_garbage_is_given_back_too() -> None:
    gc.disable()
    try:
        ring = np.ones(9).view(Ring)
        ring.next, gone = ring, weakref.ref(ring)
        del ring
        assert gone() is not None
        give_back()
        assert gone() is None
    finally:
        gc.enable()


def test_what_is_there_after_the_start_is_not_looked_at_for_garbage() -> None:
    code = "import gc; from terrafine.server.engine.memory import settle; settle(); print(len(gc.get_objects()))"
    told = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    assert int(told.stdout) < 100


FAULTS = """
import resource
import numpy as np
from terrafine.server.engine.memory import keep

def click():
    blocks = [np.ones(1 << 20, np.uint8) for _ in range(30)]

keep()
for _ in range(3):
    click()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
click()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of the GNU library")
def test_what_is_freed_stays_at_hand() -> None:
    told = subprocess.run([sys.executable, "-c", FAULTS], check=True, stdout=subprocess.PIPE)
    assert int(told.stdout) < 500
