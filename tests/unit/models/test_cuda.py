"""The CUDA path where there is no card: the plain thing; and its bookkeeping, with a stand-in for the card's own."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from terrafine.models import cuda
from terrafine.models.cuda import Replayed, download, lane, upload

CPU = torch.device("cpu")


def test_what_goes_up_comes_down_as_it_was() -> None:
    numbers = np.arange(6, dtype=np.float16).reshape(2, 3)
    with lane(CPU):
        np.testing.assert_array_equal(download(upload(numbers, CPU) * 2), numbers * 2)


def test_on_a_processor_nothing_is_recorded() -> None:
    twice = Replayed(lambda x: (x * 2,))
    assert twice(torch.ones(2))[0].tolist() == [2.0, 2.0]
    assert not twice._recorded


class OnCard(torch.Tensor):
    """A tensor that says that it is on a card."""

    is_cuda = True


class Graph:
    """Stands in for torch.cuda.CUDAGraph: it repeats what was called while it was recorded, in place."""

    def __init__(self) -> None:
        self.played = 0

    def replay(self) -> None:
        self.played += 1
        for result, again in zip(self.results, self.function(*self.sources)):
            result.copy_(again)


@pytest.fixture
def card(monkeypatch) -> list[Graph]:
    graphs = []

    @contextmanager
    def recording(graph, **_options):
        graphs.append(graph)
        yield

    class Stream:
        def synchronize(self) -> None:
            pass

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream())
    return graphs


def recorded(function) -> Replayed:
    """Its graphs know what to repeat."""
    replayed = Replayed(function)
    record = replayed._record

    def remembered(sources):
        graph, sources, results = record(sources)
        graph.function, graph.sources, graph.results = function, sources, results
        return graph, sources, results

    replayed._record = remembered
    return replayed


def on_card(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers).as_subclass(OnCard)


def test_a_graph_is_recorded_once_a_shape_and_replayed_with_every_input(card) -> None:
    square = recorded(lambda x: (x * x, x + 1))
    first, second = square(on_card(1, 2)), square(on_card(3, 4))
    assert [part.tolist() for part in first] == [[1, 4], [2, 3]]  # the second call has not touched it
    assert [part.tolist() for part in second] == [[9, 16], [4, 5]]
    assert square(on_card(5))[0].tolist() == [25]
    assert [graph.played for graph in card] == [2, 1]


def test_a_function_of_several_tensors_is_recorded_for_each_set_of_shapes(card) -> None:
    add = recorded(lambda x, y: (x + y,))
    pairs = [(on_card(1, 2), on_card(3, 4)), (on_card(5, 6), on_card(7, 8)), (on_card(5, 6), on_card(9))]
    assert [add(*pair)[0].tolist() for pair in pairs] == [[4, 6], [12, 14], [14, 15]]
    assert [graph.played for graph in card] == [2, 1]


def test_threads_replay_one_after_the_other(card) -> None:
    square = recorded(lambda x: (x * x,))
    found = {}

    def call(number: int) -> None:
        found[number] = [square(on_card(number))[0].item() for _ in range(20)]

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [number**2] * 20 for number in range(4)}
    assert len(card) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA card")
def test_on_a_card_a_replayed_function_is_the_function() -> None:
    layer = torch.nn.Conv2d(3, 4, 3).cuda().eval()
    twice, x = cuda.Replayed(lambda x: (layer(x),)), torch.rand(1, 3, 16, 16, device="cuda")
    with torch.inference_mode():
        for _ in range(2):
            torch.testing.assert_close(twice(x)[0], layer(x))
