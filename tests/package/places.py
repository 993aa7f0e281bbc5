"""Where the guide's jobs are done: on real imagery for its pictures, on a small made-up scene in the test.

Positions are in pixels of the raster, from its upper left corner; a class is its number in the legend, from 1.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

Position = tuple[float, float]


@dataclass(frozen=True)
class Stroke:
    number: int
    path: tuple[Position, ...]


LESSONS = (  # roads, bare ground, roofs and gardens of Banepa
    Stroke(3, ((82, 2646), (330, 2714))),
    Stroke(3, ((879, 2822), (1209, 2893))),
    Stroke(3, ((1010, 2206), (1014, 2343))),
    Stroke(3, ((1113, 3195), (1058, 3333))),
    Stroke(2, ((82, 2151), (192, 2172))),
    Stroke(2, ((453, 2605), (550, 2629))),
    Stroke(2, ((659, 2859), (687, 2893))),
    Stroke(2, ((96, 3454), (151, 3456))),
    Stroke(2, ((206, 2817), (289, 2838))),
    Stroke(4, ((625, 2062), (632, 2110))),
    Stroke(4, ((769, 2124), (921, 2144))),
    Stroke(4, ((1388, 2069), (1353, 2206))),
    Stroke(4, ((838, 2467), (948, 2488))),
    Stroke(4, ((1154, 2522), (1209, 2591))),
    Stroke(4, ((467, 2240), (508, 2302))),
    Stroke(4, ((412, 3099), (364, 3223))),
    Stroke(4, ((440, 2900), (447, 2989))),
    Stroke(4, ((82, 2811), (124, 2824))),
    Stroke(4, ((769, 3250), (714, 3374))),
    Stroke(4, ((1168, 3099), (1223, 3106))),
    Stroke(4, ((1388, 2618), (1429, 2577))),
    Stroke(5, ((1037, 2591), (1055, 2605))),
    Stroke(5, ((474, 2364), (481, 2398))),
    Stroke(5, ((550, 2275), (563, 2330))),
    Stroke(5, ((556, 3120), (570, 3140))),
    Stroke(5, ((27, 3312), (69, 3353))),
    Stroke(5, ((1223, 3353), (1278, 3353))),
)


@dataclass(frozen=True)
class Place:
    """
    raster     path of the image
    truth      path of a raster of what is really there: who labels samples knows it
    view       upper left and lower right corner of what the map shows
    mistake    where the first click goes
    strokes    what is drawn after it, or what is learnt from
    elsewhere  another view, for the model that was adapted
    """

    raster: str
    truth: str
    model: str
    view: tuple[Position, Position]
    mistake: Position
    strokes: tuple[Stroke, ...]
    region: tuple[Position, ...]
    elsewhere: tuple[Position, Position]

    def plain(self) -> dict:
        return asdict(self)


def from_plain(plain: dict) -> Place:
    strokes = tuple(Stroke(entry["number"], tuple(map(tuple, entry["path"]))) for entry in plain["strokes"])
    return Place(**{**plain, "strokes": strokes})


def dubai(data: Path) -> Place:
    return Place(
        raster=str(data / "dubai/tile3.tif"),
        truth=str(data / "dubai/tile3_labels.tif"),
        model="Land cover from RGB, six classes",
        view=((560, 420), (1640, 1500)),
        mistake=(1265, 546),
        strokes=(Stroke(2, ((1225, 640), (1250, 690))), Stroke(2, ((1530, 750), (1556, 780)))),
        region=((620, 480), (860, 480), (1080, 760), (1080, 980), (700, 1080), (620, 900)),
        elsewhere=((560, 420), (1640, 1500)),
    )


def banepa(data: Path) -> Place:
    return Place(
        raster=str(data / "banepa/banepa_west.tif"),
        truth="",
        model="Land cover from RGB, six classes",
        view=((0, 2000), (1536, 3500)),
        mistake=(1043, 2591),
        strokes=LESSONS,
        region=(),
        elsewhere=((0, 0), (1060, 1500)),
    )


def small(raster: Path, truth: Path) -> Place:
    """A scene of 160 pixels a side, and the tiny model of the tests."""
    return Place(
        raster=str(raster),
        truth=str(truth),
        model="Tiny",
        view=((20, 20), (140, 140)),
        mistake=(60.5, 60.5),
        strokes=(Stroke(2, ((40.5, 80.5), (60.5, 90.5))), Stroke(3, ((100.5, 100.5), (110.5, 90.5)))),
        region=((90, 40), (120, 40), (120, 60), (90, 60)),
        elsewhere=((0, 0), (80, 80)),
    )
