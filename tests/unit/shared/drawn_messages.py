"""Messages of every kind with anything in them that they may hold, and JSON of any kind, for hypothesis to draw."""

from __future__ import annotations

import dataclasses
from typing import get_args

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from terrafine.shared import codec, wire
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.errors import BadRequest
from terrafine.shared.geo import Grid, Window
from terrafine.shared.learning import MOST_FACTOR, ORDERS, SCOPES, LearnOptions, RankOptions
from terrafine.shared.messages import (
    MeasureUncertainty,
    ObjectFound,
    OfferPixels,
    OpenFile,
    Predict,
    Reply,
    Request,
    SetLegend,
)
from terrafine.shared.objects import LARGEST_BOX_PX, SMALLEST_BOX_PX, ObjectGuide
from terrafine.shared.patch import Patch
from terrafine.shared.raster import DTYPES, RasterInfo
from terrafine.shared.side import SideFields, SideInformation
from terrafine.shared.spec import DETAILS, LandCover, ModelSpec, Normalisation

KINDS = (*get_args(Request), *get_args(Reply))
NUMBERS = st.floats(-1e9, 1e9)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
COUNTS = st.integers(-codec.MAX_INTEGER, codec.MAX_INTEGER)
PATCHES = st.integers(0, codec.MAX_INTEGER)
WINDOWS = st.builds(Window, COUNTS, COUNTS, st.integers(0, 2**31), st.integers(0, 2**31))
VERTICES = st.tuples(NUMBERS, NUMBERS)
MARKS = st.one_of(
    st.builds(Annotation, TEXT, st.just("point"), st.tuples(VERTICES), st.integers(0, 254)),
    st.builds(Annotation, TEXT, st.just("stroke"), st.lists(VERTICES, min_size=1, max_size=4).map(tuple),
              st.integers(0, 254), st.floats(0, 100)),
)  # fmt: skip
SHAPES = st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 5))


DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
OFFERS = st.lists(st.tuples(WINDOWS, DIGESTS), max_size=3).map(
    lambda blocks: OfferPixels("s", tuple(window for window, _ in blocks), tuple(digest for _, digest in blocks))
)


LEGENDS = st.lists(st.tuples(st.builds(LandCover), st.integers(-1, 254)), max_size=3).map(
    lambda entries: SetLegend("s", 0, 1, tuple(entry for entry, _ in entries), tuple(to for _, to in entries))
)


MEASUREMENTS = st.builds(MeasureUncertainty, TEXT, WINDOWS, TEXT, st.integers(1, MOST_FACTOR))
PREDICTIONS = st.builds(
    Predict, TEXT, WINDOWS, st.none() | COUNTS, st.booleans(), st.sampled_from(DETAILS), TEXT, st.none() | PATCHES
)
SIDES, PLACES = st.floats(SMALLEST_BOX_PX, LARGEST_BOX_PX / 2, width=32), st.integers(-10_000, 10_000)
BOXES = st.tuples(PLACES, PLACES, SIDES, SIDES).map(lambda b: (float(b[0]), float(b[1]), b[0] + b[2], b[1] + b[3]))
CLICKS = st.lists(VERTICES, max_size=3).map(tuple)
GUIDES = st.builds(ObjectGuide, BOXES, CLICKS, CLICKS)
FOUND = st.tuples(st.integers(0, 5), st.integers(0, 5)).flatmap(
    lambda shape: st.builds(
        ObjectFound, st.builds(Window, COUNTS, COUNTS, st.just(shape[1]), st.just(shape[0])),
        arrays.arrays(np.bool_, shape), CLICKS, NUMBERS, st.dictionaries(TEXT, NUMBERS, max_size=2),
    )
)  # fmt: skip
PARTICULAR = {  # in what they may hold
    OfferPixels: OFFERS, SetLegend: LEGENDS, MeasureUncertainty: MEASUREMENTS, Predict: PREDICTIONS, ObjectFound: FOUND,
    OpenFile: OFFERS.map(lambda offer: OpenFile("s", "a/b.tif", 9, offer.windows, offer.digests)),
}  # fmt: skip


def filled(kind: type) -> st.SearchStrategy:
    """Instances of a dataclass with every field drawn, those with a default included."""
    if kind in PARTICULAR:
        return PARTICULAR[kind]
    return st.builds(kind, **{item.name: ... for item in dataclasses.fields(kind)})


@st.composite
def patches(draw) -> Patch:
    bands, height, width = draw(SHAPES)
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    values = draw(arrays.arrays(dtype, (bands, height, width)))
    window = Window(draw(COUNTS), draw(COUNTS), width, height)
    return Patch(window, values, draw(arrays.arrays(np.bool_, (height, width))), draw(COUNTS))


@st.composite
def side_information(draw) -> SideInformation:
    points, numbers = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    finite = st.floats(-1e6, 1e6, width=32)
    return SideInformation(
        *(draw(arrays.arrays(np.float32, (points, width), elements=finite)) for width in (2, numbers))
    )


RANGE = st.tuples(st.floats(-100, 0), st.floats(1, 100))
COLOURS = st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=3).map(tuple)
KINDS_OF_VALUES = st.tuples(st.sampled_from(DTYPES), st.none()) | st.tuples(st.just("uint8"), COLOURS)
RASTERS = st.tuples(st.integers(1, 4), KINDS_OF_VALUES).flatmap(
    lambda drawn: st.builds(
        RasterInfo,
        grid=st.builds(Grid, st.integers(1, 9), st.integers(1, 9), st.tuples(*[NUMBERS] * 6), TEXT,
                       st.none() | st.floats(0.01, 1e4)),
        dtype=st.just(drawn[1][0]),
        bands=st.tuples(*[st.integers(1, 20)] * drawn[0]),
        ranges=st.tuples(*[RANGE] * drawn[0]),
        palette=st.just(drawn[1][1]),
        name=TEXT,
    )
)  # fmt: skip
SPECS = st.builds(
    ModelSpec,
    name=st.just("tiny-1"),
    bands=st.just(("red",)),
    classes=st.just((LandCover(0, "Wässer", "#0000ff"), LandCover(1, "land", "#00ff00"))),
    gsd_m=st.floats(0.01, 100),
    normalisation=st.just(Normalisation((0.5,), (0.2,))),
    temperature=st.floats(0.1, 10),
    options=st.dictionaries(TEXT, st.one_of(TEXT, COUNTS, NUMBERS, st.booleans()), max_size=3),
    side=st.just(SideFields(("height",), (10.0,), (5.0,))),
)
LEARN_OPTIONS = st.builds(
    LearnOptions, st.sampled_from(SCOPES), st.none() | st.integers(1, 1000), st.none() | st.floats(1e-9, 10),
    st.floats(0, 100),
)  # fmt: skip
RANK_OPTIONS = st.builds(
    RankOptions, st.sampled_from(ORDERS), TEXT, st.integers(16, 4096), st.integers(1, 10_000), COUNTS
)
for known, strategy in {
    str: TEXT, int: COUNTS, float: NUMBERS, Window: WINDOWS, Annotation: MARKS, Patch: patches(), RasterInfo: RASTERS,
    SideInformation: side_information(), ObjectGuide: GUIDES,
    ModelSpec: SPECS, Delta: filled(Delta), LearnOptions: LEARN_OPTIONS, RankOptions: RANK_OPTIONS,
}.items():  # fmt: skip
    st.register_type_strategy(known, strategy)
MESSAGES = st.sampled_from(KINDS).flatmap(filled)
IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=wire.MAX_ID)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def same(a: object, b: object) -> bool:
    """Equality down to dtypes, and to the bits of floats that may be NaN."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and all(
            same(getattr(a, item.name), getattr(b, item.name)) for item in dataclasses.fields(a)
        )
    return type(a) is type(b) and a == b


def refusal(frames: list[bytes]) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        wire.unpack(frames)
    return caught.value
