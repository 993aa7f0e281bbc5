"""Memory of what is kept."""

from __future__ import annotations

import mmap
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from terrafine.models import lasting
from terrafine.models.lasting import ALIGNED, SMALL_BYTES, Lasting

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
LARGE = SMALL_BYTES  # numbers of two bytes


@pytest.fixture(autouse=True)
def spare(monkeypatch: pytest.MonkeyPatch) -> list[mmap.mmap]:
    spare: list[mmap.mmap] = []
    monkeypatch.setattr(lasting, "_spare", spare)
    return spare


def halves(value: float, count: int = LARGE) -> Lasting:
    return Lasting([torch.full((count,), value, dtype=torch.float16)])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.permutations(range(4)), st.sampled_from(DTYPES), st.sampled_from([1, 5, 60])), max_size=4))
def test_values_and_layouts_are_those_that_were_given(kinds) -> None:
    given = [torch.randn(2, 3, side, side).permute(order).to(dtype) for order, dtype, side in kinds]
    kept = Lasting(given)
    assert kept.nbytes == sum(tensor.nbytes for tensor in given)
    for tensor, other in zip(kept.tensors, given, strict=True):
        assert (tensor.dtype, tensor.stride()) == (other.dtype, other.stride())
        assert torch.equal(tensor, other)


def test_a_part_is_kept_without_the_rest() -> None:
    kept = Lasting([torch.arange(90_000.0).view(3, 300, 100)[:, ::2]])
    (tensor,) = kept.tensors
    assert tensor.is_contiguous()
    assert 0 <= tensor.untyped_storage().nbytes() - kept.nbytes < ALIGNED


def test_tensors_begin_where_processors_like_them_to() -> None:
    kept = Lasting([torch.zeros(LARGE + extra) for extra in range(5)])
    assert {tensor.data_ptr() % ALIGNED for tensor in kept.tensors} == {0}


def test_what_is_dropped_is_used_again() -> None:
    first = halves(0.0)
    place = first.tensors[0].data_ptr()
    assert halves(1.0).tensors[0].data_ptr() != place
    del first
    (again,) = halves(1.0).tensors
    assert again.data_ptr() == place
    assert again.sum() == LARGE


def test_what_somebody_still_looks_at_is_not_given_to_others() -> None:
    view = halves(0.0).tensors[0][5:9]
    (other,) = halves(1.0).tensors
    assert view.tolist() == [0.0] * 4
    assert other.tolist() == [1.0] * LARGE


def test_no_more_is_spare_than_there_may_be(spare: list[mmap.mmap], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lasting, "SPARE_BYTES", 5 * LARGE)
    kept = [halves(0.0) for _ in range(5)]
    assert not spare
    kept.clear()
    assert len(spare) == 2


def test_threads_never_share_memory() -> None:
    def kept_well(number: int) -> bool:
        values = (float(number * 50 + round_) for round_ in range(50))
        return all(bool((halves(value).tensors[0] == value).all()) for value in values)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(kept_well, range(4)))


def test_too_much_is_out_of_memory() -> None:
    with pytest.raises(MemoryError):
        Lasting([torch.zeros(1).expand(1 << 46)])
