"""Blocks of maps, and who makes which: each patch once, whoever comes, goes or takes over."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafine.server.cluster.blocks import ACROSS, DOWN, FEW, Column, Schedule, columns
from terrafine.server.cluster.maps import MapJob
from terrafine.server.rasters.tiling import Tiling, pieces
from terrafine.shared.geo import Grid, Window
from terrafine.shared.raster import RasterInfo


def job(width: int, height: int, name: str = "a.tif") -> MapJob:
    return MapJob(Path(name), RasterInfo(Grid(width, height), "uint8", (1,), ((0.0, 255.0),)), "tiny")


def lattice(width: int, height: int, scale: float = 1.0) -> Tiling:
    return Tiling(width, height, scale, tile_px=16, overlap_px=4, reach_px=2.0)


def patches(tiling: Tiling, found: list[Column]) -> list[Window]:
    """Of all blocks, those that are finished left out."""
    tasks = [task for column in found for task in column.tasks]
    return [part for task in tasks for part in pieces(tiling, task.block, 999) if part not in task.finished]


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([1.0, 0.3, 2.5]))
def test_the_patches_of_all_blocks_are_those_of_the_raster(width: int, height: int, scale: float) -> None:
    tiling = lattice(width, height, scale)
    found = patches(tiling, list(columns(tiling, job(width, height))))
    assert sorted(found, key=str) == sorted(pieces(tiling, tiling.raster, 999), key=str)


@given(st.data())
def test_what_is_finished_is_in_no_block(data: st.DataObject) -> None:
    tiling = lattice(200, 260)
    whole = pieces(tiling, tiling.raster, 999)
    finished = frozenset(data.draw(st.sets(st.sampled_from(whole))))
    found = patches(tiling, list(columns(tiling, job(200, 260), finished)))
    assert sorted(found, key=str) == sorted(set(whole) - finished, key=str)


def test_a_finished_map_has_no_blocks() -> None:
    tiling = lattice(100, 100)
    assert list(columns(tiling, job(100, 100), frozenset(pieces(tiling, tiling.raster, 999)))) == []


def test_a_large_map_has_blocks_of_many_tiles() -> None:
    side = 12 * 200
    first = next(columns(lattice(side, side), job(side, side))).tasks[0].block
    assert first == Window(0, 0, 12 * ACROSS, 12 * DOWN)


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), max_size=60),
)
def test_each_block_is_given_out_once_though_engines_take_over_and_die(heights, steps) -> None:
    found = [next(columns(lattice(30, 12 * high), job(30, 12 * high, str(n)))) for n, high in enumerate(heights)]
    all_tasks = {task for column in found for task in column.tasks}
    schedule, given_out = Schedule(iter(found)), []
    for engine, dies, ahead in steps:
        task = schedule.following(engine) if ahead else schedule.next(engine)
        if task is not None and dies:
            schedule.put_back(task)
        elif task is not None:
            given_out.append(task)
    while (task := schedule.next(9)) is not None:
        given_out.append(task)
    assert schedule.is_over
    assert len(given_out) == len(all_tasks)
    assert set(given_out) == all_tasks


@pytest.fixture
def column() -> Column:
    return next(columns(lattice(30, 12 * 20), job(30, 12 * 20)))


def test_an_engine_goes_down_its_column(column: Column) -> None:
    schedule = Schedule(iter([column]))
    rows = [schedule.next(0).block.row for _ in range(5)]
    assert rows == sorted(rows)


def test_an_engine_without_work_takes_the_lower_half(column: Column) -> None:
    schedule, count = Schedule(iter([column])), len(column.tasks)
    first, second = schedule.next(0), schedule.next(1)
    assert first.block.row == 0
    assert second.block.row > 12 * (count // 2 - 1)


def test_the_last_blocks_of_a_column_are_left_for_others(column: Column) -> None:
    schedule, count = Schedule(iter([column])), len(column.tasks)
    schedule.next(0)
    ahead = 0
    while schedule.following(0) is not None:
        ahead += 1
    assert ahead == count - 1 - FEW
