from __future__ import annotations

from terrafine.server.engine.caches import ByteLru
from terrafine.shared.geo import Window


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


def tile(owner: str, col: int, row: int = 0, scale: float = 1.0) -> tuple:
    return owner, scale, "encoder", Window(512 * col, 512 * row, 512, 512)


def kept(lru: ByteLru[int]) -> set[tuple]:
    return set(lru._items)


def test_of_the_oldest_the_farthest_from_the_work_goes_first() -> None:
    lru, cols = ByteLru[int](16), [3, 40, *range(5, 19)]
    for col in cols:
        lru.put(tile("a", col), col, 1)
    lru.put(tile("a", 4), 4, 1)
    assert {tile("a", col) for col in cols} - kept(lru) == {tile("a", 40)}
    lru.put(tile("a", 19), 19, 1)
    assert {tile("a", col) for col in cols} - kept(lru) == {tile("a", 40), tile("a", 3)}


def test_distance_is_that_on_the_raster_whatever_the_grid() -> None:
    lru: ByteLru[int] = ByteLru(16)
    lru.put(tile("a", 4, scale=2.0), 0, 1)  # where tile 2 of the other grid is
    for col in range(3, 18):
        lru.put(tile("a", col), col, 1)
    lru.put(tile("a", 0), 0, 1)
    assert tile("a", 3) not in kept(lru)
    assert {tile("a", 4, scale=2.0), *(tile("a", col) for col in range(4, 18)), tile("a", 0)} == kept(lru)


def test_what_is_far_but_was_used_lately_stays() -> None:
    lru: ByteLru[int] = ByteLru(4)
    for col in (1, 2, 3, 99):
        lru.put(tile("a", col), col, 1)
    lru.put(tile("a", 0), 0, 1)
    assert kept(lru) == {tile("a", col) for col in (0, 2, 3, 99)}


def test_a_job_that_goes_through_a_raster_drives_out_its_own_before_anothers() -> None:
    lru: ByteLru[int] = ByteLru(8)
    for col in range(4):
        lru.put(tile("b", col), col, 1)
    for col in range(100):
        lru.put(tile("a", col), col, 1)
    assert {tile("b", col) for col in range(4)} < kept(lru)
    assert tile("a", 99) in kept(lru)


def test_of_those_who_are_not_at_work_the_oldest_goes() -> None:
    lru: ByteLru[int] = ByteLru(2)
    lru.put(tile("b", 0), 0, 1)
    lru.put(tile("c", 0), 0, 1)
    lru.put(tile("a", 0), 0, 1)
    assert kept(lru) == {tile("c", 0), tile("a", 0)}
