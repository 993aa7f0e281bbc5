from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch, crop, digest

WINDOW = Window(10, 20, 4, 3)


def patch() -> Patch:
    return Patch(WINDOW, np.arange(24).reshape(2, 3, 4), np.eye(3, 4, dtype=bool), revision=5)


def test_a_crop_is_the_part_of_the_array_and_of_the_mask():
    part = crop(patch(), Window(11, 21, 2, 2))
    assert part.array.tolist() == [[[5, 6], [9, 10]], [[17, 18], [21, 22]]]
    assert part.valid.tolist() == [[True, False], [False, True]]
    assert (part.window, part.revision) == (Window(11, 21, 2, 2), 5)


def test_a_crop_copies_nothing():
    whole = patch()
    assert np.shares_memory(crop(whole, Window(11, 21, 2, 2)).array, whole.array)


def test_a_digest_is_the_sha256_of_kind_values_and_mask():
    small = Patch(Window(0, 0, 2, 1), np.array([[[7, -2]]], np.int16), np.array([[True, False]]))
    assert digest(small) == hashlib.sha256(b"int16 1 1 2\n" + b"\x07\0\xfe\xff" + b"\x01\0").hexdigest()


def test_a_digest_depends_neither_on_place_nor_on_layout():
    moved = replace(patch(), window=Window(0, 0, 4, 3), revision=0)
    array, valid = np.asfortranarray(patch().array, ">i8"), np.asfortranarray(patch().valid)
    swapped = replace(patch(), array=array, valid=valid)
    assert digest(patch()) == digest(moved) == digest(swapped)


@pytest.mark.parametrize(
    "other",
    [
        replace(patch(), array=patch().array + 1),
        replace(patch(), array=patch().array.astype(np.uint64)),
        replace(patch(), valid=~patch().valid),
        Patch(Window(0, 0, 3, 4), patch().array.reshape(2, 4, 3), patch().valid.reshape(4, 3)),
    ],
    ids=["values", "dtype", "mask", "shape"],
)
def test_a_digest_tells_what_differs(other):
    assert digest(other) != digest(patch())


def test_a_crop_that_sticks_out_is_refused():
    with pytest.raises(ValueError, match="inside"):
        crop(patch(), Window(9, 20, 4, 3))


@pytest.mark.parametrize(
    ("array", "valid"),
    [
        (np.zeros((3, 4)), np.ones((3, 4), bool)),
        (np.zeros((1, 4, 3)), np.ones((3, 4), bool)),
        (np.zeros((1, 3, 4)), np.ones((4, 3), bool)),
        (np.zeros((1, 3, 4)), np.ones((3, 4), np.uint8)),
    ],
)
def test_an_array_or_mask_that_does_not_fit_is_refused(array, valid):
    with pytest.raises(ValueError, match="fit|booleans"):
        Patch(WINDOW, array, valid)
