from __future__ import annotations

from terrafine.server.engine.caches import ByteLru


def test_the_value_used_longest_ago_goes_first() -> None:
    lru: ByteLru[str] = ByteLru(10)
    lru.put(("a", 1), "one", 4)
    lru.put(("a", 2), "two", 4)
    lru.get(("a", 1))
    lru.put(("a", 3), "three", 4)
    assert [lru.get(("a", number)) for number in (1, 2, 3)] == ["one", None, "three"]


def test_the_budget_is_never_exceeded() -> None:
    lru: ByteLru[int] = ByteLru(100)
    for number in range(50):
        lru.put(("a", number), number, 7 + number % 5)
        assert lru.nbytes <= 100


def test_what_is_larger_than_the_budget_is_not_kept_and_throws_nothing_out() -> None:
    lru: ByteLru[str] = ByteLru(10)
    lru.put(("a", 1), "small", 5)
    lru.put(("a", 2), "large", 11)
    assert (lru.get(("a", 1)), lru.get(("a", 2))) == ("small", None)


def test_putting_a_key_again_counts_its_bytes_once() -> None:
    lru: ByteLru[str] = ByteLru(10)
    lru.put(("a", 1), "old", 6)
    lru.put(("a", 1), "new", 6)
    assert (lru.get(("a", 1)), lru.nbytes, len(lru)) == ("new", 6, 1)


def test_one_owner_is_dropped_without_the_others() -> None:
    lru: ByteLru[str] = ByteLru(10)
    lru.put(("a", 1), "mine", 5)
    lru.put(("b", 1), "yours", 5)
    lru.drop("a")
    assert (lru.get(("a", 1)), lru.get(("b", 1)), lru.nbytes) == (None, "yours", 5)
