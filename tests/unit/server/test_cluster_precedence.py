"""Turns go before blocks of maps."""

from __future__ import annotations

import threading
import time

from terrafine.server.cluster.precedence import Precedence


def test_whoever_hurries_goes_first_though_others_wait_longer() -> None:
    precedence, order, waiting = Precedence(), [], []

    def enter(name: str, way) -> None:
        with way():
            order.append(name)

    with precedence.patient():
        for name, way in (("block", precedence.patient), ("turn", precedence.hurried)):
            waiting.append(threading.Thread(target=enter, args=(name, way)))
            waiting[-1].start()
            time.sleep(0.2)  # until it waits
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
