"""What a run has finished is there for the next one, whatever ended it, and for no other map."""

from __future__ import annotations

import errno
from contextlib import suppress
from io import FileIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafine.server.rasters.work_file import WorkFile
from terrafine.shared.errors import ConfigError, OutOfMemory
from terrafine.shared.geo import Window, blocks

RUN = {"raster": "scene.tif", "bands": [1, 2, 3]}
PIECES = blocks(Window(0, 0, 50, 30), 20)


def values(window: Window, bands: int = 2) -> np.ndarray:
    return np.random.default_rng(window.col + 100 * window.row).integers(0, 256, (bands, *window.shape), np.uint8)


def stopped(path: Path, windows=PIECES, run=RUN) -> Path:
    """The work file of a run that was interrupted."""
    with suppress(KeyboardInterrupt), WorkFile(path, run) as work:
        for window in windows:
            work.add(window, values(window))
        raise KeyboardInterrupt
    return work.path


def found(path: Path, run=RUN) -> dict[Window, np.ndarray]:
    """What the next run finds, which fails, too."""
    work = WorkFile(path, run)
    pieces = dict(work.pieces())
    assert set(pieces) == work.finished
    work._file.close()
    return pieces


def test_the_next_run_finds_what_was_finished(tmp_path: Path) -> None:
    stopped(tmp_path / "map.tif", PIECES[:2])
    stopped(tmp_path / "map.tif", PIECES[2:])
    pieces = found(tmp_path / "map.tif")
    assert list(pieces) == PIECES
    for window, array in pieces.items():
        np.testing.assert_array_equal(array, values(window))


def test_a_run_that_ends_well_leaves_nothing(tmp_path: Path) -> None:
    stopped(tmp_path / "map.tif")
    with WorkFile(tmp_path / "map.tif", RUN):
        pass
    assert not list(tmp_path.iterdir())


def test_a_run_that_finished_nothing_leaves_nothing(tmp_path: Path) -> None:
    stopped(tmp_path / "map.tif", [])
    assert not list(tmp_path.iterdir())


def test_another_map_of_the_same_name_begins_anew(tmp_path: Path) -> None:
    stopped(tmp_path / "map.tif")
    other = {**RUN, "raster": "other.tif"}
    assert found(tmp_path / "map.tif", other) == {}
    assert found(tmp_path / "map.tif", RUN) == {}


@given(cut=st.integers(0, 4000), flipped=st.booleans())
def test_whatever_is_torn_or_spoilt_costs_what_came_after_it_and_no_more(tmp_path_factory, cut: int, flipped) -> None:
    path = stopped(tmp_path_factory.mktemp("work") / "map.tif")
    whole = path.read_bytes()
    cut = cut % len(whole)
    path.write_bytes(whole[:cut] + bytes([whole[cut] ^ 1]) + whole[cut + 1 :] if flipped else whole[:cut])
    pieces = found(path.with_suffix(""))
    assert list(pieces) == PIECES[: len(pieces)]
    for window, array in pieces.items():
        np.testing.assert_array_equal(array, values(window))
    stopped(path.with_suffix(""), PIECES[len(pieces) :])
    assert list(found(path.with_suffix(""))) == PIECES


def test_records_of_another_run_are_not_taken_for_this_ones(tmp_path: Path) -> None:
    path, other = stopped(tmp_path / "a.tif"), stopped(tmp_path / "b.tif", run={**RUN, "raster": "scenf.tif"})
    path.write_bytes(path.read_bytes().partition(b"\n")[0] + b"\n" + other.read_bytes().partition(b"\n")[2])
    assert found(tmp_path / "a.tif") == {}


def test_two_runs_at_once_on_one_map_are_refused(tmp_path: Path) -> None:
    with WorkFile(tmp_path / "map.tif", RUN), pytest.raises(ConfigError, match="Another run"):
        WorkFile(tmp_path / "map.tif", RUN)


def add_all(work: WorkFile) -> None:
    for number in range(9):
        window = Window(20 * number, 0, 20, 20)
        work.add(window, values(window, 5))


class FullDisk(FileIO):
    """Takes a part of what it is given, as a disk does that fills up, and then nothing."""

    def write(self, data) -> int:
        if self.tell() > 2000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(bytes(data)[:2500])


def test_a_full_disk_is_said_so_and_what_was_written_counts(tmp_path: Path) -> None:
    work = WorkFile(tmp_path / "map.tif", RUN)
    work._file.close()
    work._file = FullDisk(work.path, "ab")
    with pytest.raises(OutOfMemory, match="no room"):
        add_all(work)
    work._file.close()
    pieces = found(tmp_path / "map.tif")
    assert 0 < len(pieces) < 9
    assert set(pieces) <= {Window(20 * number, 0, 20, 20) for number in range(9)}
