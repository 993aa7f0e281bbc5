"""Turns go before blocks of maps."""

from __future__ import annotations

import threading
import time

import pytest

from terrafine.server.cluster import precedence as module
from terrafine.server.cluster.precedence import Precedence


def blocks_beside(precedence: Precedence, turns: int, pause_s: float) -> tuple[int, float]:
    """How many steps of blocks are made while turns, of some milliseconds each, come with a pause between them, and
    how long that takes, which is for the machine to say.
    """
    made, is_over, began = [0], threading.Event(), time.monotonic()

    def steps() -> None:
        while not is_over.is_set():
            with precedence.patient():
                made[0] += 1
            time.sleep(0)

    with precedence.hurried():
        worker = threading.Thread(target=steps)
        worker.start()
    for _ in range(turns):
        time.sleep(pause_s)
        with precedence.hurried():
            time.sleep(0.002)
    found = made[0], time.monotonic() - began
    is_over.set()
    worker.join(10)
    return found


def test_whoever_hurries_goes_first_though_others_wait_longer() -> None:
    precedence, order, waiting = Precedence(), [], []

    def enter(name: str, way) -> None:
        with way():
            order.append(name)

    with precedence.patient():
        for name, way in (("block", precedence.patient), ("turn", precedence.hurried)):
            waiting.append(threading.Thread(target=enter, args=(name, way)))
            waiting[-1].start()
            time.sleep(0.1)  # until the block waits, if it can
        while not precedence._hurrying:
            time.sleep(0.002)
    for thread in waiting:
        thread.join(10)
    assert order == ["turn", "block"]


def test_only_one_has_it_at_a_time() -> None:
    precedence, inside, most = Precedence(), [0], [0]

    def work(way) -> None:
        for _ in range(50):
            with way():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0)
                inside[0] -= 1

    threads = [
        threading.Thread(target=work, args=(way,)) for way in (precedence.patient, precedence.hurried) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [1]


def test_an_error_within_lets_the_next_one_in() -> None:
    precedence = Precedence()
    for way in (precedence.hurried, precedence.patient):
        try:
            with way():
                raise KeyError
        except KeyError:
            pass
    with precedence.patient():
        pass


def test_no_block_comes_between_the_turns_of_a_click(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOMENT_S", 10.0)
    monkeypatch.setattr(module, "PATIENCE_S", 2.0)
    made, seconds = blocks_beside(Precedence(), turns=5, pause_s=0.02)
    assert made <= seconds / 2.0  # none, unless the turns themselves are as slow as that


def test_a_block_that_was_put_off_for_long_is_made_among_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOMENT_S", 10.0)
    monkeypatch.setattr(module, "PATIENCE_S", 0.1)
    made, seconds = blocks_beside(Precedence(), turns=50, pause_s=0.02)
    assert 1 <= made <= seconds / 0.1


def test_blocks_go_on_a_moment_after_the_last_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOMENT_S", 0.05)
    monkeypatch.setattr(module, "PATIENCE_S", 60.0)
    precedence = Precedence()
    with precedence.hurried():
        pass
    began = time.monotonic()
    for _ in range(3):
        with precedence.patient():
            pass
    assert 0.04 < time.monotonic() - began < module.PATIENCE_S
