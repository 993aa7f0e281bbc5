from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from terrafine.server.rasters import contents
from terrafine.server.rasters.contents import ContentStore
from terrafine.shared.errors import OutOfMemory
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch, digest

SHAPE = (1, 20, 30)
NBYTES = 2 * 20 * 30  # of a patch and its mask


def patch(value: int = 7) -> Patch:
    return Patch(Window(0, 0, 30, 20), np.full(SHAPE, value, np.uint8), np.eye(20, 30, dtype=bool))


@pytest.fixture
def on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ContentStore]:
    """A store without memory, whose files lie somewhere under `tmp_path`."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = ContentStore(0)
    yield store
    store.close()


def test_a_content_goes_by_its_owner_and_its_digest() -> None:
    store = ContentStore()
    assert store.keep(patch(), "me") == ("me", digest(patch()))
    assert ("me", digest(patch())) in store


def test_nobody_uses_what_another_one_sent() -> None:
    store = ContentStore()
    store.keep(patch(), "me")
    assert not store.use(("you", digest(patch())), SHAPE, "uint8")
    assert ("you", digest(patch())) not in store


def test_the_same_content_of_two_owners_is_freed_by_each_for_itself(on_disk: ContentStore, tmp_path: Path) -> None:
    mine, yours = on_disk.keep(patch(), "me"), on_disk.keep(patch(), "you")
    assert len(list(tmp_path.rglob("*.npy"))) == 2
    on_disk.release(mine)
    assert on_disk.block(yours)[1].sum() == 20


def test_what_is_kept_does_not_change_with_what_was_sent() -> None:
    store, sent = ContentStore(), patch()
    name = store.keep(sent)
    sent.array[:] = 0
    assert (store.block(name)[0] == 7).all()


def test_what_nobody_uses_any_more_is_freed_and_its_memory_used_again(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = ContentStore(NBYTES)
    name = store.keep(patch())
    assert store.use(name, SHAPE, "uint8")
    store.release(name)
    assert name in store
    store.release(name)
    assert name not in store
    assert not store.use(name, SHAPE, "uint8")
    store.keep(patch(8))
    assert not list(tmp_path.iterdir())


def test_the_same_content_takes_memory_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = ContentStore(2 * NBYTES)
    for value in (7, 7, 7, 8):
        store.keep(patch(value))
    assert not list(tmp_path.iterdir())


def test_the_file_of_what_nobody_uses_any_more_is_removed(on_disk: ContentStore, tmp_path: Path) -> None:
    first, second = (on_disk.keep(patch(value)) for value in (7, 8))
    on_disk.keep(patch(7))
    on_disk.release(second)
    assert len(list(tmp_path.rglob("*.npy"))) == 1
    assert (on_disk.block(first)[0] == 7).all()
    on_disk.release(first)
    on_disk.release(first)
    assert not list(tmp_path.rglob("*.npy"))


@pytest.mark.parametrize(("shape", "dtype"), [((1, 30, 20), "uint8"), (SHAPE, "int8"), ((2, 20, 30), "uint8")])
@pytest.mark.parametrize("memory_bytes", [0, NBYTES])
def test_content_of_another_shape_or_dtype_is_not_used(memory_bytes: int, shape, dtype) -> None:
    store = ContentStore(memory_bytes)
    name = store.keep(patch())
    assert not store.use(name, shape, dtype)
    store.release(name)
    assert name not in store
    store.close()


def test_a_file_that_cannot_be_read_is_forgotten_but_not_who_used_it(on_disk: ContentStore, tmp_path: Path) -> None:
    name = on_disk.keep(patch())
    (path,) = tmp_path.rglob("*.npy")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises((ValueError, EOFError)):
        on_disk.block(name)
    assert name not in on_disk
    on_disk.keep(patch())
    on_disk.release(name)
    assert on_disk.block(name)[1].sum() == 20


def test_files_are_gone_when_the_store_closes(on_disk: ContentStore, tmp_path: Path) -> None:
    on_disk.keep(patch())
    assert list(tmp_path.rglob("*.npy"))
    on_disk.close()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_not_filled_further(on_disk: ContentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=contents.DISK_RESERVE_BYTES)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(OutOfMemory, match="no room"):
        on_disk.keep(patch())
    assert ("", digest(patch())) not in on_disk


@pytest.mark.parametrize("memory_bytes", [0, 1 << 20])
def test_one_owner_holds_its_share_only_and_again_what_it_released(monkeypatch, memory_bytes: int) -> None:
    monkeypatch.setattr(contents, "OWNER_BYTES", 2 * NBYTES)
    store = ContentStore(memory_bytes)
    first, _second = store.keep(patch(1), "me"), store.keep(patch(2), "me")
    store.keep(patch(2), "me")
    with pytest.raises(OutOfMemory, match="Your rasters"):
        store.keep(patch(3), "me")
    store.keep(patch(3), "you")
    store.release(first)
    assert store.keep(patch(3), "me") in store
    store.close()


def test_what_would_find_no_room_is_refused_before_it_travels(tmp_path: Path, monkeypatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=contents.DISK_RESERVE_BYTES + 100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    store = ContentStore(memory_bytes=NBYTES, lasting=tmp_path / "pixels" / "not yet")
    store.check_room(NBYTES + 100)
    with pytest.raises(OutOfMemory, match="has room for"):
        store.check_room(NBYTES + 101)
    store.keep(patch())
    with pytest.raises(OutOfMemory):
        store.check_room(101)
